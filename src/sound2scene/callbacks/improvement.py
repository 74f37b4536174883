"""Do something whenever the held-out score has improved, so that what is on disk is always the best so far."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

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
            raise InputError(f"monitor: nothing logs {self.monitor!r}; set it to one of the held-out figures: {known}")
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


def held_out(trainer: pl.Trainer) -> dict[str, float]:
    """What the last validation logged."""
    metrics = trainer.callback_metrics.items()
    return {name: float(value) for name, value in metrics if name.startswith(("val/", "test/"))}
