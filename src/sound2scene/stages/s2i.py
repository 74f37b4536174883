"""Second stage of `s2i`: a generator draws what embeddings of sound show (Fanzeres and Nadeu)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor
from torchmetrics import MeanMetric

from sound2scene import artifacts, images
from sound2scene.distributed import gather, world
from sound2scene.divergence import finite
from sound2scene.latent import uniform_rows
from sound2scene.lightning import allow_unused_parameters, counted_optimizers, plain_optimizers
from sound2scene.losses.adversarial import AbsoluteLoss
from sound2scene.models.s2i_audio import AudioAutoencoder
from sound2scene.models.s2i_discriminator import ConvDiscriminator
from sound2scene.models.s2i_generator import DenseGenerator
from sound2scene.optimization import TranslationAdam
from sound2scene.protocols import AdversarialLoss
from sound2scene.stages.measured import MeasuredModule
from sound2scene.stages.s2i_chance import chance_of_clips, chance_of_turn
from sound2scene.stages.s2i_objective import Objective
from sound2scene.types import Export, InputError, SoundPictureBatch


class S2IStage(MeasuredModule):
    """Trains a generator to draw the picture of a sound from its embedding, against a discriminator.

    Each batch is one step of the discriminator and one of the generator, on the same fakes; `global_step`
    counts the generator's. Real and drawn pictures pass the discriminator together in both, because its last
    norm is over scores. The audio encoder is frozen and stays outside of this module and its checkpoints,
    which name its fingerprint.

    Args:
        audio: Folder of an `s2i-audio` artifact.
        generator: Network to train, for embeddings of that width.
        discriminator: Its opponent, for pictures and embeddings of these sizes.
        loss: Absolute error as published, or any dotted path with `discriminator` and `generator`.
        objective: Pixel loss, weights, and further choices.
        generator_optimizer: Optimizer for the generator.
        discriminator_optimizer: Optimizer for the discriminator.

    Raises:
        InputError: If the artifact is missing or a number makes no sense; at the start, if sizes differ.
    """

    batches: Tensor
    images: Tensor
    usual_score: Tensor

    def __init__(
        self,
        audio: str,
        generator: DenseGenerator,
        discriminator: ConvDiscriminator,
        loss: AdversarialLoss | None = None,
        objective: Objective | None = None,
        generator_optimizer: OptimizerCallable = TranslationAdam,
        discriminator_optimizer: OptimizerCallable = TranslationAdam,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.audio, self.audio_fingerprint = audio, artifacts.read_card(audio).fingerprint
        self.generator = generator.to(memory_format=torch.channels_last)
        self.discriminator = discriminator.to(memory_format=torch.channels_last)
        self.resolution = generator.resolution
        self.loss = loss if loss is not None else AbsoluteLoss()
        self.objective = (objective or Objective()).checked()
        self.optimizers_of = generator_optimizer, discriminator_optimizer
        self.error = MeanMetric()
        self._hearing: list[AudioAutoencoder] = []  # a list hides it from checkpoints and optimizers
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.register_buffer("images", torch.zeros((), dtype=torch.int64))
        self.register_buffer("usual_score", torch.zeros(()))

    @property
    def hearing(self) -> AudioAutoencoder:
        """The frozen audio encoder, on the device of this stage; loaded when it is first needed."""
        if not self._hearing:
            network = artifacts.load(self.audio, kind="s2i-audio")
            assert isinstance(network, AudioAutoencoder)
            self._hearing.append(network.requires_grad_(False).to(self.device))
        return self._hearing[0].to(self.device)

    def setup(self, stage: str) -> None:
        """Look whether the networks belong together, and prepare for two that take turns."""
        widths = {
            f"{self.audio}: embedding_dim": self.hearing.embedding_dim,
            "generator.embedding_dim": self.generator.embedding_dim,
            "discriminator.embedding_dim": self.discriminator.embedding_dim,
        }
        sides = {
            "generator.resolution": self.generator.resolution,
            "discriminator.resolution": self.discriminator.resolution,
        }
        for sizes in (widths, sides):
            if len(set(sizes.values())) > 1:
                told = ", ".join(f"{name} {size}" for name, size in sizes.items())
                raise InputError(f"{told}; make them the same")
        allow_unused_parameters(self.trainer)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Name the audio encoder."""
        checkpoint["s2i_audio"] = self.audio_fingerprint

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to go on with another audio encoder.

        Raises:
            InputError: If the artifact has been replaced.
        """
        if checkpoint.get("s2i_audio", self.audio_fingerprint) != self.audio_fingerprint:
            raise InputError(
                f"{self.audio}: was replaced since this run began; put the old one back or train anew"
            )

    def training_step(self, batch: SoundPictureBatch, batch_index: int) -> None:
        """A step of the discriminator, then one of the generator."""
        real_BCHW, z_audio_BD = self._given(batch)
        drawn_BCHW = self.generator(z_audio_BD, self._chance(len(z_audio_BD), self.generator.dropout_dim, 0))
        one, other = counted_optimizers(self)[0], plain_optimizers(self)[1]
        other.zero_grad(set_to_none=True)
        loss = self.discriminator_loss(real_BCHW, drawn_BCHW.detach(), z_audio_BD)
        self._finite(loss, "discriminator loss", batch)
        self.manual_backward(loss)
        other.step()
        one.zero_grad(set_to_none=True)
        self.discriminator.requires_grad_(False)
        pixel, adversarial = self.generator_losses(real_BCHW, drawn_BCHW, z_audio_BD)
        weighted = self.objective.pixel_weight * pixel + self.objective.adversarial_weight * adversarial
        self._finite(pixel, "pixel loss", batch)
        self._finite(adversarial, "adversarial loss", batch)
        self.manual_backward(weighted)
        one.step()
        self.discriminator.requires_grad_(True)
        self.batches += 1
        self.images += len(real_BCHW) * world()[1]
        self.log("progress/kimg", int(self.images) / 1000)

    def discriminator_loss(self, real_BCHW: Tensor, drawn_BCHW: Tensor, z_audio_BD: Tensor) -> Tensor:
        """Loss of the discriminator over the pictures of this rank, its norms over those of all.

        Args:
            real_BCHW: Real pictures in [-1, 1].
            drawn_BCHW: Drawn ones, detached.
            z_audio_BD: Embeddings of their sounds.
        """
        groups = [(real_BCHW, z_audio_BD), (drawn_BCHW, z_audio_BD)]
        if self.objective.mismatched:
            rank, rows = world()[0], len(z_audio_BD)
            other_GD = gather(z_audio_BD).roll(1, 0)
            groups.append((real_BCHW, other_GD[rank * rows : (rank + 1) * rows]))
        real_B, *fakes = self._scores(groups, turn=1)
        self.log("train/real_score", real_B.detach().float().mean())
        self.log("train/fake_score", fakes[0].detach().float().mean())
        return self.loss.discriminator(real_B, torch.cat(fakes))

    def generator_losses(
        self, real_BCHW: Tensor, drawn_BCHW: Tensor, z_audio_BD: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Pixel loss and adversarial loss of the generator, not weighted, over the pictures of this rank."""
        pixel = self.objective.pixel_loss(drawn_BCHW, real_BCHW)
        _, fake_B = self._scores([(real_BCHW, z_audio_BD), (drawn_BCHW, z_audio_BD)], turn=2)
        kept = self.objective.moving_average
        adversarial = self.loss.generator(kept * self.usual_score + (1 - kept) * fake_B.float())
        self.usual_score.lerp_(gather(fake_B.detach().float()).mean(), 1 - kept)
        return pixel, adversarial

    def _scores(self, groups: Sequence[tuple[Tensor, Tensor]], turn: int) -> tuple[Tensor, ...]:
        """Scores of groups of pictures with embeddings, which pass the discriminator together."""
        shown_BCHW, z_audio_BD = (torch.cat(parts) for parts in zip(*groups, strict=True))
        width = self.discriminator.dropout_dim
        chance_BZ = torch.cat(
            [self._chance(len(one), width, turn, group) for group, (one, _) in enumerate(groups)]
        )
        score_B: Tensor = self.discriminator(shown_BCHW, z_audio_BD, chance_BZ)
        return score_B.chunk(len(groups))

    def _given(self, batch: SoundPictureBatch) -> tuple[Tensor, Tensor]:
        """Real pictures in [-1, 1], and embeddings of their sounds."""
        if batch.image_BCHW.shape[-1] != self.resolution:
            raise InputError(
                f"data.init_args.read gives pictures of {batch.image_BCHW.shape[-1]} px, "
                f"generator.resolution {self.resolution}; make them the same"
            )
        return images.to_model(batch.image_BCHW), self.hearing.embed(batch.waveform_BT)

    def _chance(self, rows: int, width: int, *turn: int) -> Tensor:
        return chance_of_turn(rows, width, int(self.batches), *turn).to(self.device)

    def _finite(self, loss: Tensor, name: str, batch: SoundPictureBatch) -> None:
        mean = finite(gather(loss.detach()[None]).mean(), name, batch.key, self.global_step)
        self.log(f"train/{name.replace(' ', '_')}", mean, prog_bar=True)

    @torch.no_grad()
    def sample(self, batch: SoundPictureBatch, seeds: Sequence[int], draw: int = 0) -> Tensor:
        """Pictures of the sounds of a batch, (B, 3, H, W) in [-1, 1]; see `protocols.Sampling`."""
        return self._drawn(batch, uniform_rows(seeds, [draw] * len(seeds), self.generator.dropout_dim))

    def _drawn(self, batch: SoundPictureBatch, chance_BZ: Tensor) -> Tensor:
        z_audio_BD = self.hearing.embed(batch.waveform_BT.to(self.device))
        drawn_BCHW: Tensor = self.generator(z_audio_BD, chance_BZ.to(self.device))
        return finite(drawn_BCHW.float(), "pictures", batch.key, self.global_step)

    def validation_step(self, batch: SoundPictureBatch, batch_index: int) -> None:
        """Measure the error of each clip's picture; callbacks sample and measure more."""
        drawn_BCHW = self._drawn(batch, chance_of_clips(batch.key, self.generator.dropout_dim))
        self.error.update((drawn_BCHW - images.to_model(batch.image_BCHW)).square().mean((1, 2, 3)))

    def report(self, split: str) -> None:
        """Log the figures of a split."""
        self.log(f"{split}/squared_error", self.error.compute(), prog_bar=True, rank_zero_only=False)
        self.error.reset()

    def configure_optimizers(self) -> Any:
        """One optimizer for either network."""
        for_generator, for_discriminator = self.optimizers_of
        return [
            for_generator(self.generator.parameters()),
            for_discriminator(self.discriminator.parameters()),
        ]

    def exports(self) -> Export:
        """The generator, and the audio encoder whose embeddings it draws."""
        notes = {"s2i_audio": self.audio_fingerprint}
        return Export(self.generator, "s2i-generator", f"pixels{self.resolution}", notes)
