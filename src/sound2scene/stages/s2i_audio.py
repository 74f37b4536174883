"""First stage of `s2i`: an audio autoencoder (Fanzeres and Nadeu, arXiv:2106.01266)."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor
from torch.nn.functional import mse_loss
from torchmetrics import MeanMetric

from sound2scene.distributed import gather
from sound2scene.divergence import finite
from sound2scene.models.s2i_audio import AudioAutoencoder
from sound2scene.stages.measured import MeasuredModule
from sound2scene.stages.s2i_chance import chance_of_clips, chance_of_turn
from sound2scene.types import Export, SoundPictureBatch


class S2IAudioStage(MeasuredModule):
    """Trains the audio autoencoder to give back the spectrogram that it hears.

    The loss is the mean squared error over its values in [-1, 1]. Channels are dropped when held-out clips
    are measured, too, as published, for each clip by its key.

    Args:
        autoencoder: Network to train.
        optimizer: Optimizer for it; as published by default.
    """

    def __init__(
        self,
        autoencoder: AudioAutoencoder,
        optimizer: OptimizerCallable = lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9),
    ) -> None:
        super().__init__()
        # On CPUs and with bf16 on GPUs convolutions are faster with channels last; values do not change.
        self.autoencoder = autoencoder.to(memory_format=torch.channels_last)
        self.optimizer = optimizer
        self.error = MeanMetric()

    def training_step(self, batch: SoundPictureBatch, batch_index: int) -> Tensor:
        """Mean squared error over the sounds of this rank."""
        sound_BCHW = self.autoencoder.hear(batch.waveform_BT)
        chance_BZ = chance_of_turn(len(sound_BCHW), self.autoencoder.dropout_dim, self.global_step)
        again_BCHW = self.autoencoder(sound_BCHW, chance_BZ.to(self.device))
        loss = mse_loss(again_BCHW.to(sound_BCHW.dtype), sound_BCHW)
        mean = gather(loss.detach()[None]).mean()
        finite(mean, "reconstruction loss", batch.key, self.global_step)
        self.log("train/loss", mean, prog_bar=True)
        return loss

    def validation_step(self, batch: SoundPictureBatch, batch_index: int) -> None:
        """Measure the error of each clip."""
        sound_BCHW = self.autoencoder.hear(batch.waveform_BT)
        chance_BZ = chance_of_clips(batch.key, self.autoencoder.dropout_dim).to(self.device)
        again_BCHW = self.autoencoder(sound_BCHW, chance_BZ).float()
        error_B = (again_BCHW - sound_BCHW).square().mean((1, 2, 3))
        self.error.update(finite(error_B, "reconstruction error", batch.key, self.global_step))

    def report(self, split: str) -> None:
        """Log the figures of a split."""
        self.log(f"{split}/loss", self.error.compute(), prog_bar=True, rank_zero_only=False)
        self.error.reset()

    def configure_optimizers(self) -> Any:
        """The optimizer, at a constant rate as published."""
        return self.optimizer(self.autoencoder.parameters())

    def exports(self) -> Export:
        """The whole autoencoder."""
        return Export(self.autoencoder, "s2i-audio", "log_mel", {})
