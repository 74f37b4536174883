"""Stage `align`: an audio encoder learns the latent space of a frozen image encoder (paper §2.1, §2.2)."""

from __future__ import annotations

from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn
from torch.nn.functional import normalize

from sound2scene import artifacts
from sound2scene.data.batches.frozen_encoder import load_frozen
from sound2scene.data.clips import ClipDataModule
from sound2scene.distributed import gather
from sound2scene.latent import noise_of_clips
from sound2scene.losses.infonce import L2InfoNCE
from sound2scene.metrics.retrieval import Embeddings, instance_ranks, recalls
from sound2scene.optimization import WarmupCosine, adam
from sound2scene.protocols import AlignmentLoss
from sound2scene.spectrogram import spectrogram as spectrogram_preset
from sound2scene.types import Batch, DivergedError, Export, InputError, Retrieved


class Drawing:
    """A frozen generator for features of one image encoder.

    Args:
        folder: Of the generator artifact.
        encoder_fingerprint: Of the image encoder whose features it is to draw.
        device: Where.

    Raises:
        InputError: If it was trained on another encoder's features, or its card does not say on whose.
    """

    def __init__(self, folder: str, encoder_fingerprint: str, device: torch.device) -> None:
        artifacts.check_pair(artifacts.read_card(folder), encoder_fingerprint, folder)
        self.network = artifacts.load(folder, kind="generator").to(device).requires_grad_(False)
        self.resolution = cast(int, self.network.resolution)

    def __call__(self, z_BD: Tensor, index_B: Tensor, draw: int) -> Tensor:
        """Pictures, with the noise of these clips and this draw."""
        noise_BZ = noise_of_clips(index_B, cast(int, self.network.z_dim), draw).to(z_BD.device)
        return cast(Tensor, self.network(noise_BZ, normalize(z_BD.float(), dim=1)))


class AlignStage(pl.LightningModule):
    """Trains an audio encoder so that z_audio falls on z_image of the same clip.

    The image encoder never changes and sees no augmentation, so its features are computed once per clip,
    cached, and come with the batch; it is not part of this module, its checkpoints or its parameters.

    Args:
        audio_encoder: Network to train, (B, F, T) to (B, D).
        image_encoder: Folder of an image-encoder artifact whose features have the same D.
        generator: Folder of a generator artifact that was trained on features of that image encoder, so that
            the held out sounds can be drawn; None draws nothing. It is frozen and stays outside of this
            module, too.
        loss: Alignment loss; any dotted path with `forward(z_audio_GD, z_image_GD)`.
        spectrogram: Name of the spectrogram preset.
        optimizer: Of the audio encoder and of whatever the loss lets it own (a learnable temperature).
        schedule: Of its rate; constant as published by default.
        cache: Folder of cached image features.

    Raises:
        InputError: If an artifact is missing, of another width, or belongs to another image encoder.
    """

    def __init__(
        self,
        audio_encoder: nn.Module,
        image_encoder: str,
        generator: str | None = None,
        loss: AlignmentLoss | None = None,
        spectrogram: str = "paper",
        optimizer: OptimizerCallable = adam,
        schedule: WarmupCosine | None = None,
        cache: str = "data/features",
    ) -> None:
        super().__init__()
        # On CPUs and with bf16 on GPUs convolutions are about twice as fast with channels last; values do not
        # change.
        self.audio_encoder = audio_encoder.to(memory_format=torch.channels_last)
        self.loss = cast(nn.Module, loss if loss is not None else L2InfoNCE())
        self.preset, self.spectrogram = spectrogram, spectrogram_preset(spectrogram)
        self.image_encoder, self.generator, self.cache = image_encoder, generator, cache
        self.optimizer, self.schedule = optimizer, schedule
        self.drawing: Drawing | None = None
        self.embeddings = Embeddings()
        self.retrieved: Retrieved | None = None

    def setup(self, stage: str) -> None:
        """Compute or find the image features of the splits this run reads."""
        splits = {"fit": ["train", "val"], "validate": ["val"], "test": ["test"], "predict": []}[stage]
        device = self.trainer.strategy.root_device
        key, width = "audio_encoder.z_dim", cast(int, self.audio_encoder.z_dim)
        frozen = load_frozen(self.image_encoder, self.cache, device, key, width)
        if self.generator is not None:
            self.drawing = Drawing(self.generator, frozen.fingerprint, device)
        data = cast(ClipDataModule, self.trainer.datamodule)  # type: ignore[attr-defined]
        data.use_features(splits, *frozen)

    def forward(self, waveform_BT: Tensor) -> Tensor:
        """z_audio (B, D) of 10 s sounds at 16 kHz in [-1, 1], (B, 160000)."""
        with torch.no_grad():
            spectrogram_BFT = self.spectrogram(waveform_BT)
        return cast(Tensor, self.audio_encoder(spectrogram_BFT))

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Loss over the global batch: every rank sees every pair, and its gradient reaches every rank."""
        assert batch.waveform_BT is not None
        assert batch.z_image_BD is not None
        z_audio_GD, z_image_GD = gather(self(batch.waveform_BT)), gather(batch.z_image_BD)
        loss = cast(Tensor, self.loss(z_audio_GD, z_image_GD))
        if not torch.isfinite(loss):
            raise DivergedError(
                f"step {self.global_step}: {type(self.loss).__name__} is {loss.item()} for clips {', '.join(batch.key)}"
            )
        pairs = len(z_audio_GD)
        self.log("train/loss", loss, prog_bar=True)
        for level in ("chance", "floor"):
            if hasattr(self.loss, level):
                self.log(f"train/{level}", getattr(self.loss, level)(pairs))
        ranks = instance_ranks(z_audio_GD.detach(), z_image_GD)
        self.log("train/batch_recall_at_1", (ranks == 0).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Collect; recall is over the whole split."""
        assert batch.waveform_BT is not None
        assert batch.z_image_BD is not None
        self.embeddings.update(batch.index_B, batch.label_B, self(batch.waveform_BT), batch.z_image_BD)

    test_step = validation_step

    def on_validation_epoch_end(self) -> None:
        """Recall over the held-out split."""
        self._report("val")

    def on_test_epoch_end(self) -> None:
        """Recall over the test split."""
        self._report("test")

    @property
    def resolution(self) -> int:
        """Height and width of what the generator draws.

        Raises:
            InputError: If there is none.
        """
        if self.drawing is None:
            raise InputError(
                "callbacks that draw need model.init_args.generator; name an artifact, or remove them"
            )
        return self.drawing.resolution

    @torch.no_grad()
    def sample(self, batch: Batch, draw: int = 0) -> Tensor:
        """Pictures of the sounds of a batch, (B, 3, H, W) in [-1, 1]; see `types.Sampling`."""
        assert self.drawing is not None
        assert batch.waveform_BT is not None
        return self.drawing(self(batch.waveform_BT), batch.index_B, draw)

    @torch.no_grad()
    def sample_ceiling(self, batch: Batch, draw: int = 0) -> Tensor:
        """What a perfect audio encoder would draw: pictures of the true z_image with the same noise."""
        assert self.drawing is not None
        assert batch.z_image_BD is not None
        return self.drawing(batch.z_image_BD, batch.index_B, draw)

    def predict_step(self, batch: Batch, batch_index: int) -> Tensor:
        """z_audio of a batch, (B, D)."""
        assert batch.waveform_BT is not None
        return cast(Tensor, self(batch.waveform_BT))

    def _report(self, split: str) -> None:
        self.retrieved = Retrieved(*self.embeddings.whole())
        self.embeddings.reset()
        _, label_N, z_audio_ND, z_image_ND = self.retrieved
        found = recalls(z_audio_ND, z_image_ND, label_N)
        # The one figure that picks the checkpoint: class level where there are classes, else instance level
        # at 10.
        instance = found["instance/audio_to_image/recall_at_10"]
        score = found.get("class/audio_to_image/recall_at_1", instance)
        self.log_dict({f"{split}/{name}": value for name, value in found.items()}, rank_zero_only=False)
        self.log(f"{split}/recall", score + 1e-3 * instance, prog_bar=True)

    def configure_optimizers(self) -> Any:
        """The optimizer over audio encoder and loss, with the schedule that was asked for."""
        optimizer = self.optimizer([*self.audio_encoder.parameters(), *self.loss.parameters()])
        if self.schedule is None:
            return optimizer
        schedule = self.schedule(optimizer, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def exports(self) -> Export:
        """The audio encoder."""
        notes = {"image_encoder": artifacts.read_card(self.image_encoder).fingerprint}
        return Export(self.audio_encoder, "audio-encoder", self.preset, notes)
