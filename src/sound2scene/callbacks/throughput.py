"""How fast a run goes, and whether it waits for its data."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import pytorch_lightning as pl

from sound2scene.lightning import batches_begun
from sound2scene.types import Batch


class Throughput(pl.Callback):
    """Logs clips per second, the share of time spent waiting for data, and progress in thousands of clips.

    Figures are over the batches since the last log, on this rank times the number of ranks; what happens
    between epochs and in validation counts neither as waiting nor as work.

    Args:
        every_n_steps: Batches between two logs, counted over the whole run.
    """

    def __init__(self, every_n_steps: int = 10) -> None:
        self.every_n_steps = every_n_steps
        self._free = perf_counter()
        self._restart()

    def _restart(self) -> None:
        self._elapsed, self._waited, self._clips = 0.0, 0.0, 0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave out what happened between epochs."""
        self._free = perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave out validation."""
        self._free = perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, index: int
    ) -> None:
        """The batch is here: until now we waited for it."""
        self._waited += perf_counter() - self._free

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, index: int
    ) -> None:
        """Count, and log every few batches."""
        now = perf_counter()
        self._elapsed += now - self._free
        self._clips += len(batch.key) * trainer.world_size
        batches = batches_begun(trainer)
        if batches % self.every_n_steps == 0:
            pl_module.log("speed/clips_per_s", self._clips / self._elapsed, prog_bar=True)
            pl_module.log("speed/data_wait_share", self._waited / self._elapsed)
            pl_module.log("progress/kclips", batches * len(batch.key) * trainer.world_size / 1000)
            self._restart()
        self._free = now
