"""Stage `manifold`: the baseline by Pedersoli et al. (arXiv:2208.02337), an autoencoder and an audio network.

The second stage learns from the first one's artifact, never from its code: sound falls on the map that the
frozen encoder makes of the sound's picture, and nearest codes are decoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor
from torchmetrics import MeanMetric

from sound2scene.distributed import gather, world
from sound2scene.divergence import finite
from sound2scene.lightning import scheduled
from sound2scene.losses.manifold import CodebookLoss, HardestMean, squared_errors
from sound2scene.metrics.codes import CodeUse
from sound2scene.models.manifold_audio import KIND as AUDIO
from sound2scene.models.manifold_audio import ManifoldAudio
from sound2scene.models.manifold_autoencoder import KIND as AUTOENCODER
from sound2scene.models.manifold_autoencoder import FrozenAutoencoder, ManifoldAutoencoder, unit
from sound2scene.optimization import WarmupCosine
from sound2scene.seeds import seed_of
from sound2scene.stages.measured import MeasuredModule
from sound2scene.types import Export, PictureBatch, SoundPictureBatch


class AutoencoderStage(MeasuredModule):
    """Trains a VQ-VAE of pictures, without labels and without sounds.

    Published is a training on the pictures of the test split too; here it is left to evaluation.

    Args:
        autoencoder: Network to train.
        image_preset: The `pixels*` chain at the autoencoder's side.
        error: Which pictures of a batch count in the reconstruction error.
        codebook: Loss of codebook and commitment.
        optimizer: Optimizer for the autoencoder; as published by default.
        schedule: Schedule of the learning rate; constant as published by default.
    """

    def __init__(
        self,
        autoencoder: ManifoldAutoencoder,
        image_preset: str,
        error: HardestMean | None = None,
        codebook: CodebookLoss | None = None,
        optimizer: OptimizerCallable = lambda parameters: torch.optim.Adam(parameters, lr=1e-4),
        schedule: WarmupCosine | None = None,
    ) -> None:
        super().__init__()
        self.autoencoder, self.image_preset = autoencoder, image_preset
        self.error, self.codebook = error or HardestMean(), codebook or CodebookLoss()
        self.optimizer, self.schedule = optimizer, schedule
        self.mse, self.use = MeanMetric(), CodeUse(len(autoencoder.codebook_KD))

    @property
    def resolution(self) -> int:
        """Height and width of the pictures."""
        return self.autoencoder.side

    def training_step(self, batch: PictureBatch, batch_index: int) -> Tensor:
        """Mean squared error of the pictures (in [0, 1]) plus the codebook's loss, over the global batch."""
        made = self.autoencoder(batch.image_BCHW)
        error = self.error(gather(squared_errors(made.image_BCHW, unit(batch.image_BCHW))))
        codebook: Tensor = self.codebook(made.z_BDHW, made.code_BDHW)
        loss: Tensor = error + codebook
        mean = gather(loss.detach()[None]).mean()
        finite(mean, "autoencoder loss", batch.key, self.global_step)
        self.log("train/loss", mean, prog_bar=True)
        self.log("train/mse", error.detach())
        return loss

    def validation_step(self, batch: PictureBatch, batch_index: int) -> None:
        """Collect errors and codes of held-out pictures."""
        made = self.autoencoder(batch.image_BCHW)
        error_B = squared_errors(made.image_BCHW, unit(batch.image_BCHW))
        self.mse.update(finite(error_B, "pictures", batch.key, self.global_step))
        self.use.update(made.number_BHW)

    def report(self, split: str) -> None:
        """Log the figures of a split."""
        self.log(f"{split}/mse", self.mse.compute(), prog_bar=True, rank_zero_only=False)
        self.log_dict(
            {f"{split}/{name}": value for name, value in self.use.compute().items()}, rank_zero_only=False
        )
        self.mse.reset()
        self.use.reset()

    @torch.no_grad()
    def sample(self, batch: PictureBatch, seeds: Sequence[int], draw: int = 0) -> Tensor:
        """The batch's pictures from their codes, (B, 3, H, W) in [-1, 1]; seeds and draw change nothing."""
        return self.autoencoder.picture(self.autoencoder.encode(batch.image_BCHW))

    def configure_optimizers(self) -> Any:
        """The optimizer, with the schedule that was asked for."""
        return scheduled(self.trainer, self.optimizer(self.autoencoder.parameters()), self.schedule)

    def exports(self) -> Export:
        """The autoencoder."""
        return Export(self.autoencoder, AUTOENCODER, self.image_preset, {})


class AudioStage(MeasuredModule):
    """Trains an audio network onto the map that a frozen autoencoder makes of the clip's picture.

    Args:
        audio_network: Network to train, (B, 160000) samples to maps of the autoencoder's size.
        autoencoder: Folder of its artifact. It stays outside of this module, its checkpoints and its
            parameters.
        error: Which clips of a batch count in the error.
        optimizer: Optimizer for the audio network; as published by default.
        schedule: Schedule of the learning rate; constant as published by default.

    Raises:
        InputError: If the artifact is missing, or its maps have another size.
    """

    def __init__(
        self,
        audio_network: ManifoldAudio,
        autoencoder: str,
        error: HardestMean | None = None,
        optimizer: OptimizerCallable = lambda parameters: torch.optim.Adam(parameters, lr=1e-4),
        schedule: WarmupCosine | None = None,
    ) -> None:
        super().__init__()
        self.audio_network, self.frozen = audio_network, FrozenAutoencoder(autoencoder)
        self.frozen.check_map(audio_network.grid, audio_network.code_dim)
        self.error, self.optimizer, self.schedule = error or HardestMean(), optimizer, schedule
        self.mse, self.right = MeanMetric(), MeanMetric()
        self.batches: Tensor
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))  # in checkpoints, see `_dropping`

    @property
    def resolution(self) -> int:
        """Height and width of the pictures."""
        return self.frozen.network.side

    def forward(self, waveform_BT: Tensor) -> Tensor:
        """Maps before quantisation, float32 (B, D, H, W), of 10 s sounds at 16 kHz in [-1, 1]."""
        z_BDHW: Tensor = self.audio_network(waveform_BT)
        return z_BDHW

    def training_step(self, batch: SoundPictureBatch, batch_index: int) -> Tensor:
        """Mean squared error of the map over the global batch."""
        with self._dropping():
            heard_BDHW = self(batch.waveform_BT)
        self.batches += 1
        loss: Tensor = self.error(gather(squared_errors(heard_BDHW, self._true(batch))))
        finite(loss, "map's squared error", batch.key, self.global_step)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: SoundPictureBatch, batch_index: int) -> None:
        """Collect errors, and how many codes are those of the true picture."""
        heard_BDHW = finite(self(batch.waveform_BT), "map", batch.key, self.global_step)
        true_BDHW, nearest = self._true(batch), self.frozen.on(self.device).nearest
        self.mse.update(squared_errors(heard_BDHW, true_BDHW))
        self.right.update((nearest(heard_BDHW) == nearest(true_BDHW)).float())

    def report(self, split: str) -> None:
        """Log the figures of a split."""
        for name, metric in (("mse", self.mse), ("codes_right", self.right)):
            self.log(f"{split}/{name}", metric.compute(), prog_bar=True, rank_zero_only=False)
            metric.reset()

    @torch.no_grad()
    def sample(self, batch: SoundPictureBatch, seeds: Sequence[int], draw: int = 0) -> Tensor:
        """Pictures of the sounds, (B, 3, H, W) in [-1, 1]; one a sound, whatever seed and draw."""
        return self.frozen.on(self.device).picture(self(batch.waveform_BT))

    @torch.no_grad()
    def sample_ceiling(self, batch: SoundPictureBatch, seeds: Sequence[int], draw: int = 0) -> Tensor:
        """What a perfect audio network would draw: the true pictures from their codes."""
        return self.frozen.on(self.device).picture(self._true(batch))

    @contextmanager
    def _dropping(self) -> Iterator[None]:
        """Dropout by (seed, batches so far, rank) alone, so that a run that goes on repeats it."""
        seed = seed_of(torch.initial_seed(), int(self.batches), world()[0])
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield

    @torch.no_grad()
    def _true(self, batch: SoundPictureBatch) -> Tensor:
        return self.frozen.on(self.device).encode(batch.image_BCHW)

    def configure_optimizers(self) -> Any:
        """The optimizer, with the schedule that was asked for."""
        return scheduled(self.trainer, self.optimizer(self.audio_network.parameters()), self.schedule)

    def exports(self) -> Export:
        """The audio network, and the fingerprint of the autoencoder whose maps it makes."""
        notes = {"autoencoder": self.frozen.fingerprint}
        return Export(self.audio_network, AUDIO, self.frozen.preset, notes)
