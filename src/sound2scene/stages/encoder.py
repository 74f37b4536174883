"""Stage `encoder`: a self-supervised image encoder, by contrast between two random views of each picture (SimCLR)."""

from __future__ import annotations

from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from sound2scene.distributed import gather
from sound2scene.losses.infonce import CosineInfoNCE
from sound2scene.metrics.retrieval import Embeddings, neighbour_accuracy
from sound2scene.models.heads import ProjectionHead
from sound2scene.optimization import adam, warmup_cosine
from sound2scene.types import Batch, DivergedError, Export


class EncoderStage(pl.LightningModule):
    """Trains an image encoder without labels; labels, where there are any, only measure it.

    Training batches hold two views of each picture (`PictureViews`), stacked view by view.

    Args:
        image_encoder: Network to train, (B, 3, H, W) to (B, D).
        image_preset: Chain that feeds it afterwards; goes on the artifact's card.
        hidden: Width inside the projection head.
        projection: Width of its output.
        temperature: Of the contrast.
        optimizer: Of encoder and head.
        warmup_steps: Linear warm-up before the half cosine to 0.
    """

    def __init__(
        self,
        image_encoder: nn.Module,
        image_preset: str,
        hidden: int = 256,
        projection: int = 128,
        temperature: float = 0.2,
        optimizer: OptimizerCallable = adam,
        warmup_steps: int = 10,
    ) -> None:
        super().__init__()
        self.image_encoder, self.image_preset = image_encoder, image_preset
        self.head = ProjectionHead(cast(int, image_encoder.z_dim), hidden, projection)
        self.loss = CosineInfoNCE(temperature)
        self.optimizer, self.warmup_steps = optimizer, warmup_steps
        self.embeddings = Embeddings()

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Contrast of the first views with the second ones, over the global batch."""
        assert batch.image_BCHW is not None
        first_BD, second_BD = self.head(self.image_encoder(batch.image_BCHW)).chunk(2)
        first_GD, second_GD = gather(first_BD), gather(second_BD)
        loss = cast(Tensor, self.loss(first_GD, second_GD))
        if not torch.isfinite(loss):
            raise DivergedError(f"step {self.global_step}: contrast is {loss.item()} for clips {', '.join(batch.key)}")
        self.log("train/loss", loss, prog_bar=True)
        self.log("train/chance", self.loss.chance(len(first_GD)))
        return loss

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Collect plain features of the held-out pictures."""
        assert batch.image_BCHW is not None
        z_image_BD = self.image_encoder(batch.image_BCHW)
        self.embeddings.update(batch.index_B, batch.label_B, z_image_BD, z_image_BD)

    def on_validation_epoch_end(self) -> None:
        """Nearest-neighbour accuracy where there are labels, and how much of the latent space is used."""
        _, label_N, z_image_ND, _ = self.embeddings.whole()
        self.embeddings.reset()
        share = torch.linalg.svdvals(nn.functional.normalize(z_image_ND, dim=1)).square()
        share = share / share.sum()
        # exp of the entropy of the spectrum: 1 when collapsed to a line, D when every direction counts the same
        self.log("val/effective_rank", torch.exp(-(share * (share + 1e-12).log()).sum()), rank_zero_only=False)
        if (label_N >= 0).sum() > 1:
            self.log("val/neighbour_accuracy", neighbour_accuracy(z_image_ND, label_N), prog_bar=True)

    def configure_optimizers(self) -> Any:
        """The optimizer with warm-up and half a cosine."""
        optimizer = self.optimizer([*self.image_encoder.parameters(), *self.head.parameters()])
        schedule = warmup_cosine(optimizer, int(self.trainer.estimated_stepping_batches), self.warmup_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def exports(self) -> Export:
        """The image encoder, without its head."""
        return Export(self.image_encoder, "image-encoder", self.image_preset, {})
