"""Do something whenever the held-out score has improved, so that what is on disk is always the best so far."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import pytorch_lightning as pl

from sound2scene.types import InputError


class OnImprovement(pl.Callback, ABC):
    """Calls `improved` on the first rank after each validation of a fit that beats all before it.

    Args:
        monitor: Logged figure to compare; larger is better.
    """

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor
        self.best = -math.inf

    @abstractmethod
    def improved(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """What to do."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare, outside the sanity check and dry runs.

        Raises:
            InputError: If no figure of that name was logged.
        """
        if trainer.sanity_checking or trainer.state.fn != "fit" or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        score = trainer.callback_metrics.get(self.monitor)
        if score is None:
            known = ", ".join(sorted(held_out(trainer))) or "none"
            raise InputError(
                f"monitor: nothing logs {self.monitor!r}; set it to one of the held-out figures: {known}"
            )
        if float(score) > self.best:
            self.best = float(score)
            if trainer.is_global_zero:
                self.improved(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """The best score, so that a restarted run does not take a worse one for it."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on comparing with it."""
        self.best = state_dict["best"]


class PicturesOnImprovement(OnImprovement):
    """Draws pictures into the folder of the run, the one called `best_picture` at each best validation.

    Args:
        monitor: Logged figure that decides which validation is the best.
        rows: Clips to show, spread evenly over the classes.
    """

    best_picture: ClassVar[str]

    def __init__(self, monitor: str, rows: int) -> None:
        super().__init__(monitor)
        self.rows = rows
        self.folder: str | None = None

    @abstractmethod
    def draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule, path: Path) -> None:
        """Write a picture of the present state."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Learn where the run writes."""
        self.folder = (
            trainer.log_dir
        )  # a broadcast: every rank has to ask, here and not where the first draws alone

    def improved(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Redraw the best picture."""
        self.draw_as(self.best_picture, trainer, pl_module)

    def draw_as(self, name: str, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw under a name in that folder: on the first rank, where there is a folder."""
        if trainer.is_global_zero and self.folder:
            self.draw(trainer, pl_module, Path(self.folder) / name)


def held_out(trainer: pl.Trainer) -> dict[str, float]:
    """What the last validation logged."""
    metrics = trainer.callback_metrics.items()
    return {name: float(value) for name, value in metrics if name.startswith(("val/", "test/"))}
