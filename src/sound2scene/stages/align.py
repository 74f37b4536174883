"""Stage `align`: an audio encoder learns the latent space of a frozen image encoder (paper §2.1, §2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from sound2scene import artifacts
from sound2scene.devices import training_layout
from sound2scene.distributed import gather
from sound2scene.divergence import finite
from sound2scene.lightning import facts_of, scheduled
from sound2scene.losses.infonce import L2InfoNCE
from sound2scene.metrics import familiarity
from sound2scene.metrics.retrieval import Embeddings, instance_ranks, recalls
from sound2scene.optimization import WarmupCosine
from sound2scene.protocols import AlignmentLoss, Drawing, whole_number
from sound2scene.spectrogram import spectrogram as spectrogram_preset
from sound2scene.stages.measured import MeasuredModule
from sound2scene.types import DataFacts, EncoderFacts, Export, InputError, PairBatch, Retrieved


class AlignStage(MeasuredModule):
    """Trains an audio encoder so that z_audio falls on z_image of the same clip.

    z_image comes with the batch (`sound2scene.data.reading.ReadPairs`): the image encoder is frozen and
    belongs to the data. Validation logs recall at 1, 5 and 10 over the held-out split, at instance level as
    `val/instance/audio_to_image/recall_at_10` and so on, and where there are labels at class level.

    Args:
        audio_encoder: Network to train, (B, F, T) to (B, D).
        drawing: Frozen generator that draws the held-out sounds, such as
            `sound2scene.methods.sound2scene.FrozenGenerator`; it must draw features of the data's image
            encoder. None draws nothing. It stays outside of this module, its checkpoints and its parameters.
        loss: Alignment loss; any dotted path with `forward(z_audio_GD, z_image_GD)`.
        spectrogram: Name of the spectrogram preset.
        optimizer: Optimizer for the audio encoder and whatever the loss lets it own (a learnable
            temperature).
        schedule: Schedule of the learning rate; constant as published by default.

    Raises:
        InputError: At the start, if the data brings no features, or features of another width or encoder.
    """

    def __init__(
        self,
        audio_encoder: nn.Module,
        drawing: Drawing | None = None,
        loss: AlignmentLoss | None = None,
        spectrogram: str = "paper",
        optimizer: OptimizerCallable = lambda parameters: torch.optim.Adam(
            parameters, lr=1e-3, weight_decay=1e-5
        ),
        schedule: WarmupCosine | None = None,
    ) -> None:
        super().__init__()
        self.audio_encoder = audio_encoder.to(memory_format=training_layout(audio_encoder))
        chosen: Any = L2InfoNCE() if loss is None else loss  # a loss is any module of that protocol
        self.loss: nn.Module = chosen
        self.preset, self.spectrogram = spectrogram, spectrogram_preset(spectrogram)
        self.drawing, self.optimizer, self.schedule = drawing, optimizer, schedule
        self.embeddings = Embeddings()
        self.retrieved: Retrieved | None = None
        self.image_encoder: EncoderFacts | None = None

    def setup(self, stage: str) -> None:
        """Look whether data, audio encoder and generator belong together."""
        self.image_encoder = self.checked(facts_of(self.trainer))

    def checked(self, facts: DataFacts) -> EncoderFacts:
        """The image encoder of the data, where it fits.

        Raises:
            InputError: If it does not.
        """
        encoder, width = facts.encoder, whole_number(self.audio_encoder, "z_dim")
        if encoder is None:
            raise InputError("align needs features of pictures; name data.init_args.features.image_encoder")
        if encoder.width != width:
            raise InputError(
                f"{encoder.folder}: features have {encoder.width} dimensions and audio_encoder.z_dim is "
                f"{width}; "
                "make them the same"
            )
        if self.drawing is not None:
            artifacts.check_same_encoder(self.drawing.image_encoder, encoder.fingerprint, self.drawing.folder)
        return encoder

    def forward(self, waveform_BT: Tensor) -> Tensor:
        """z_audio (B, D) of 10 s sounds at 16 kHz in [-1, 1], (B, 160000)."""
        with torch.no_grad():
            spectrogram_BFT = self.spectrogram(waveform_BT)
        z_audio_BD: Tensor = self.audio_encoder(spectrogram_BFT)
        return z_audio_BD

    def training_step(self, batch: PairBatch, batch_index: int) -> Tensor:
        """Loss over the global batch: every rank sees every pair, and its gradient reaches every rank."""
        z_audio_GD, z_image_GD = gather(self(batch.waveform_BT)), gather(batch.z_image_BD)
        loss: Tensor = self.loss(z_audio_GD, z_image_GD)
        finite(loss, type(self.loss).__name__, batch.key, self.global_step)
        pairs = len(z_audio_GD)
        self.log("train/loss", loss, prog_bar=True)
        for level in ("chance", "floor"):
            if hasattr(self.loss, level):
                self.log(f"train/{level}", getattr(self.loss, level)(pairs))
        ranks = instance_ranks(z_audio_GD.detach(), z_image_GD)
        self.log("train/batch_recall_at_1", (ranks == 0).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: PairBatch, batch_index: int) -> None:
        """Collect; recall is over the whole split."""
        z_audio_BD = finite(self(batch.waveform_BT), "z_audio", batch.key, self.global_step)
        z_image_BD = finite(batch.z_image_BD, "z_image", batch.key, self.global_step)
        self.embeddings.update(batch.index_B, batch.label_B, z_audio_BD, z_image_BD)

    @property
    def resolution(self) -> int:
        """Height and width of what the generator draws.

        Raises:
            InputError: If there is none.
        """
        return self._given().resolution

    @torch.no_grad()
    def sample(self, batch: PairBatch, seeds: Sequence[int], draw: int = 0) -> Tensor:
        """Pictures of the sounds of a batch, (B, 3, H, W) in [-1, 1]; see `protocols.Sampling`."""
        return self._given().draw(self(batch.waveform_BT), seeds, draw)

    @torch.no_grad()
    def sample_ceiling(self, batch: PairBatch, seeds: Sequence[int], draw: int = 0) -> Tensor:
        """What a perfect audio encoder would draw: pictures of the true z_image with the same noise."""
        return self._given().draw(batch.z_image_BD, seeds, draw)

    def predict_step(self, batch: PairBatch, batch_index: int) -> Tensor:
        """z_audio of a batch, (B, D)."""
        return finite(self(batch.waveform_BT), "z_audio", batch.key, self.global_step)

    def _given(self) -> Drawing:
        if self.drawing is None:
            raise InputError(
                "callbacks that draw need model.init_args.drawing; name a generator, or remove them"
            )
        return self.drawing

    def report(self, split: str) -> None:
        """Log the figures of a split."""
        self.retrieved = Retrieved(*self.embeddings.whole())
        self.embeddings.reset()
        _, label_N, z_audio_ND, z_image_ND = self.retrieved
        found = recalls(z_audio_ND, z_image_ND, label_N)
        self.log_dict({f"{split}/{name}": value for name, value in found.items()}, rank_zero_only=False)

    def configure_optimizers(self) -> Any:
        """The optimizer over audio encoder and loss, with the schedule that was asked for."""
        optimizer = self.optimizer([*self.audio_encoder.parameters(), *self.loss.parameters()])
        return scheduled(self.trainer, optimizer, self.schedule)

    def exports(self) -> Export:
        """The audio encoder, the image encoder that it is aligned to, and what sounds are familiar to it."""
        encoder = self.image_encoder or self.checked(facts_of(self.trainer))
        notes: dict[str, Any] = {"image_encoder": encoder.fingerprint}
        known = None if self.retrieved is None else familiarity.of_latents(self.retrieved.z_audio_ND)
        notes |= {} if known is None else {familiarity.KEY: known.as_note()}
        return Export(self.audio_encoder, "audio-encoder", self.preset, notes)
