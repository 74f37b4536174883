"""Stage `encoder`: a self-supervised image encoder, by swapped prediction of codes between crops (SwAV)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn
from torch.optim import Optimizer

from sound2scene.distributed import gather, world
from sound2scene.divergence import finite
from sound2scene.lightning import scheduled
from sound2scene.losses.swapped import SwappedPrediction
from sound2scene.metrics.retrieval import Embeddings, neighbour_accuracy
from sound2scene.models.heads import FeatureQueue, PrototypeHead
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.optimization import LARC, WarmupCosine
from sound2scene.ranges import COUNT, check
from sound2scene.types import CropBatch, Export, InputError, PictureBatch

CODED = 2  # the large crops


class EncoderStage(pl.LightningModule):
    """Trains an image encoder without labels; labels, where there are any, only measure it.

    Training batches hold crops of each picture (`MultiCrop`): the first two get codes, and every crop
    predicts the codes of the others. The defaults are those of SwAV's 4096 recipes. Under several processes
    set `trainer.sync_batchnorm`: as published, and a batch norm over few pictures lets them tell each other
    apart.

    Args:
        image_encoder: Network to train. Its whitening, where it has one, is not learned: the callback
            `FitWhitening` fits it before each validation.
        image_preset: Chain that feeds it afterwards; goes on the artifact's card.
        head: Projection and prototypes for features of a given width.
        loss: Swapped prediction: temperature, epsilon, iterations.
        queue: Earlier vectors that small batches share their codes with; None for none.
        frozen_steps: Steps at the start in which the prototypes do not learn (published: about one epoch).
        optimizer: Optimizer for encoder, projection and prototypes.
        schedule: Schedule of the learning rate, by step.
    """

    def __init__(
        self,
        image_encoder: ImageEncoder,
        image_preset: str,
        head: Callable[[int], PrototypeHead] = PrototypeHead,
        loss: SwappedPrediction | None = None,
        queue: FeatureQueue | None = None,
        frozen_steps: int = 313,
        optimizer: OptimizerCallable = LARC,
        schedule: WarmupCosine | None = None,
    ) -> None:
        super().__init__()
        check("model", COUNT, frozen_steps=frozen_steps)
        # On CPUs and with bf16 on GPUs convolutions are about twice as fast with channels last; values do not
        # change.
        self.image_encoder = image_encoder.to(memory_format=torch.channels_last)
        self.image_preset = image_preset
        self.head = head(image_encoder.pooled_dim)
        self.loss, self.queue = loss or SwappedPrediction(), queue
        if queue is not None and queue.rows_AND.shape[-1] != self.head.prototypes.in_features:
            raise InputError(
                f"queue.dim is {queue.rows_AND.shape[-1]} and the head gives "
                f"{self.head.prototypes.in_features}; make "
                "them the same"
            )
        self.frozen_steps, self.optimizer = frozen_steps, optimizer
        self.schedule = schedule or WarmupCosine()
        self.embeddings = Embeddings()

    def training_step(self, batch: CropBatch, batch_index: int) -> Tensor:
        """Swapped prediction between the crops of this rank; codes are settled over the global batch."""
        pictures = len(batch.key)
        self.head.prototypes.renormalise()
        # Crops of one resolution pass the backbone together, and all of them the head and its batch norm.
        pooled_BP = torch.cat([self.image_encoder.pooled(crops_BCHW) for crops_BCHW in batch.crops])
        unit_BD, scores_BK = self.head(pooled_BP)
        scores_VBK = scores_BK.view(-1, pictures, scores_BK.shape[1])
        with torch.autocast(self.device.type, enabled=False):
            codes_ABK = self._codes(unit_BD[: CODED * pictures].detach(), scores_VBK[:CODED].detach())
            loss: Tensor = self.loss(scores_VBK, codes_ABK)
        self._report(loss, scores_VBK, batch)
        return loss

    def _codes(self, unit_BD: Tensor, scores_ABK: Tensor) -> Tensor:
        """Codes of the coded crops, together with the queue once it is full; then they join it."""
        pictures = scores_ABK.shape[1]
        if self.queue is None:
            return self.loss.codes(scores_ABK, gather)
        rank, ranks = world()
        scores_ANK = scores_ABK
        if self.queue.full(pictures * ranks):
            earlier_ANK = self.head.prototypes(self.queue.share(pictures * ranks, rank, ranks)).detach()
            scores_ANK = torch.cat([earlier_ANK, scores_ABK], dim=1)
        codes_ABK = self.loss.codes(scores_ANK, gather)[:, -pictures:]
        unit_BAD = unit_BD.view(CODED, pictures, -1).transpose(0, 1)
        self.queue.push(gather(unit_BAD).transpose(0, 1), self.global_step)
        return codes_ABK

    def _report(self, loss: Tensor, scores_VBK: Tensor, batch: CropBatch) -> None:
        """Log the loss over all ranks, its chance level, and how many prototypes the predictions use."""
        share_K = (scores_VBK.detach() / self.loss.temperature).softmax(-1).mean((0, 1))
        share_K = gather(share_K[None]).mean(0)
        mean = gather(loss.detach()[None]).mean()
        finite(mean, "swapped prediction", batch.key, self.global_step)
        self.log("train/loss", mean, prog_bar=True)
        self.log("train/chance", self.loss.chance(len(share_K)))
        # exp of the entropy of their mean use: K when all are used alike, 1 when everything falls to one
        self.log("train/prototype_perplexity", torch.exp(-(share_K * (share_K + 1e-12).log()).sum()))

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Drop the prototypes' gradient while they are frozen."""
        if self.global_step < self.frozen_steps:
            self.head.prototypes.weight.grad = None

    def on_validation_start(self) -> None:
        """Look whether the whitening, where there is one, was fitted to the features of now.

        Raises:
            InputError: If it never was.
        """
        whitening = self.image_encoder.whitening
        if whitening is not None and not whitening.fitted:
            raise InputError(
                "image_encoder.whitening is set and nothing fits it; add the callback "
                "sound2scene.callbacks.whitening.FitWhitening"
            )

    def validation_step(self, batch: PictureBatch, batch_index: int) -> None:
        """Collect plain features of the held-out pictures."""
        z_image_BD = finite(self.image_encoder(batch.image_BCHW), "z_image", batch.key, self.global_step)
        self.embeddings.update(batch.index_B, batch.label_B, z_image_BD, z_image_BD)

    def on_validation_epoch_end(self) -> None:
        """Nearest-neighbour accuracy where there are labels, and how much of the latent space is used."""
        _, label_N, z_image_ND, _ = self.embeddings.whole()
        self.embeddings.reset()
        share = torch.linalg.svdvals(nn.functional.normalize(z_image_ND, dim=1)).square()
        share = share / share.sum()
        # exp of the entropy of the spectrum: 1 when collapsed to a line, D when every direction counts the
        # same
        self.log(
            "val/effective_rank", torch.exp(-(share * (share + 1e-12).log()).sum()), rank_zero_only=False
        )
        if (label_N >= 0).sum() > 1:
            self.log("val/neighbour_accuracy", neighbour_accuracy(z_image_ND, label_N), prog_bar=True)

    def configure_optimizers(self) -> Any:
        """The optimizer over encoder and head, and its schedule."""
        optimizer = self.optimizer([*self.image_encoder.parameters(), *self.head.parameters()])
        return scheduled(self.trainer, optimizer, self.schedule)

    def exports(self) -> Export:
        """The image encoder, without its head."""
        return Export(self.image_encoder, "image-encoder", self.image_preset, {})
