"""Keeps every finished video of a selection at once, and puts the whole together in the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BasePredictionWriter
from pytorch_lightning.utilities.exceptions import SIGTERMException

from sound2scene.data.selection.parts import Parts


class SelectionWriter(BasePredictionWriter):
    """Appends each prediction, a key and what was found, to this rank's part; the first rank merges them.

    Args:
        parts: Selection in the making; all ranks must see the same folder.
    """

    def __init__(self, parts: Parts) -> None:
        super().__init__("batch")
        self.parts = parts

    def write_on_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Append one video."""
        self.parts.add(trainer.global_rank, *prediction)
        # Lightning notes the signal, and looks at its note only where it trains.
        if trainer.received_sigterm:
            raise SIGTERMException

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Merge. A rank whose share is empty runs no other hook of prediction, so that all meet here."""
        self.parts.close()
        trainer.strategy.barrier("selection parts")
        if trainer.is_global_zero:
            self.parts.finish()
        trainer.strategy.barrier("selection")

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Leave the parts as they are, for the next run."""
        self.parts.close()
