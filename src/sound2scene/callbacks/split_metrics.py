"""What callbacks share that measure a split batch by batch, the test split as the held-out one."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import pytorch_lightning as pl


class SplitMetrics(pl.Callback):
    """A callback that begins with a split, adds each batch, and logs at its end; never in sanity checks."""

    @abstractmethod
    def begin(self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: str) -> None:
        """Make ready.

        Args:
            trainer: The trainer.
            pl_module: The stage.
            split: `val` or `test`.
        """

    @abstractmethod
    def add(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, split: str) -> None:
        """Measure a batch."""

    @abstractmethod
    def finish(self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: str) -> None:
        """Log what was measured, and forget it."""

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Make ready for the held-out split."""
        if not trainer.sanity_checking:
            self.begin(trainer, pl_module, "val")

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Make ready for the test split."""
        self.begin(trainer, pl_module, "test")

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any) -> None:
        """Measure a held-out batch."""
        if not trainer.sanity_checking:
            self.add(trainer, pl_module, rest[1], "val")

    def on_test_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any) -> None:
        """Measure a test batch."""
        self.add(trainer, pl_module, rest[1], "test")

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log over the held-out split."""
        if not trainer.sanity_checking:
            self.finish(trainer, pl_module, "val")

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log over the test split."""
        self.finish(trainer, pl_module, "test")
