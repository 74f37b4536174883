"""Write what `predict` gives: one latent per sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import BasePredictionWriter
from torch import Tensor

from sound2scene import files
from sound2scene.distributed import world
from sound2scene.types import PairBatch


class EmbeddingWriter(BasePredictionWriter):
    """Writes `embeddings_<rank>.npz` into the run folder: `key` (N,), `z_audio` (N, D) of this rank."""

    def __init__(self) -> None:
        super().__init__("batch")
        self.keys: list[str] = []
        self.rows: list[Tensor] = []

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget an earlier prediction."""
        self.keys, self.rows = [], []

    def write_on_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        prediction: Any,
        batch_indices: Any,
        batch: PairBatch,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Keep a batch."""
        self.keys += batch.key
        self.rows.append(prediction.float().cpu())

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the file."""
        folder = Path(trainer.log_dir or ".")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"embeddings_{world()[0]}.npz"
        with files.replacing(path) as partial, partial.open("wb") as file:
            np.savez(file, key=np.array(self.keys), z_audio=torch.cat(self.rows).numpy())
        print(f"{len(self.keys)} embeddings: {path}", flush=True)
