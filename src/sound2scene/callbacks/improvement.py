"""One judgement of which validation is the best, and what is done whenever there is a better one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pytorch_lightning as pl

from sound2scene.lightning import is_dry_run
from sound2scene.runs import Aim


@runtime_checkable
class Improving(Protocol):
    """Has something to do at each best validation."""

    def improved(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do it; every process calls."""
        ...


class Best(pl.Callback):
    """Compares each validation of a fit with the best before it, and lets others know when it is better.

    Args:
        aim: Which is the best.
        listeners: Who is told, in this order.
    """

    def __init__(self, aim: Aim, listeners: Sequence[Improving]) -> None:
        self.aim, self.listeners = aim, listeners
        self.best: tuple[float, float] | None = None
        self.waited = 0

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare, outside the sanity check and dry runs."""
        if trainer.sanity_checking or trainer.state.fn != "fit" or is_dry_run(trainer):
            return
        score = self.aim.score(held_out(trainer))
        # NaN compares with nothing: as the first best it would stay for ever.
        if not math.isnan(score[0]) and (self.best is None or score > self.best):
            self.best, self.waited = score, 0
            for listener in self.listeners:
                listener.improved(trainer, pl_module)
            return
        self.waited += 1
        if self.aim.patience is not None and self.waited >= self.aim.patience:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """The best score, so that a restarted run does not take a worse one for it."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on comparing with it."""
        self.best = None if state_dict["best"] is None else (state_dict["best"][0], state_dict["best"][1])
        self.waited = state_dict["waited"]


class BestCheckpoint:
    """Keeps the state of the best validation as `checkpoints/best.ckpt` of the run folder."""

    def improved(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write it."""
        if trainer.log_dir is not None:  # a broadcast: every rank has to ask
            path = Path(trainer.log_dir) / "checkpoints" / "best.ckpt"
            trainer.save_checkpoint(path, weights_only=False)  # the optimizer too: runs go on from it


def held_out(trainer: pl.Trainer) -> dict[str, float]:
    """What the last validation logged."""
    metrics = trainer.callback_metrics.items()
    return {name: float(value) for name, value in metrics if name.startswith(("val/", "test/"))}
