"""What stages share that are measured on the test split as on the held-out one."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import pytorch_lightning as pl


class MeasuredModule(pl.LightningModule):
    """A stage whose validation steps collect figures, which are reported once a split is gone through."""

    @abstractmethod
    def report(self, split: str) -> None:
        """Log what was collected, as `{split}/...`, and forget it.

        Args:
            split: `val` or `test`.
        """

    def test_step(self, batch: Any, batch_index: int) -> None:
        """Collect, as in validation."""
        self.validation_step(batch, batch_index)

    def on_validation_epoch_end(self) -> None:
        """Figures over the held-out split."""
        self.report("val")

    def on_test_epoch_end(self) -> None:
        """Figures over the test split."""
        self.report("test")
