"""Stage `gan`: an instance-conditioned generator and discriminator (IC-GAN, arXiv:2109.05070; paper §2.1)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn
from torch.nn.functional import l1_loss, normalize

from sound2scene.distributed import world
from sound2scene.divergence import finite
from sound2scene.latent import draw_pictures, noise_rows
from sound2scene.lightning import allow_unused_parameters, counted_optimizers, facts_of, plain_optimizers
from sound2scene.losses.adversarial import HingeLoss, slope_penalty
from sound2scene.metrics.collapse import CollapseWatch
from sound2scene.models.conditional_norm import synchronise_norms
from sound2scene.models.diff_augment import diff_augment
from sound2scene.models.ema import AveragedGenerator
from sound2scene.optimization import AdversarialAdam
from sound2scene.protocols import AdversarialLoss, whole_number
from sound2scene.seeds import seed_of
from sound2scene.stages.gan_phases import Phases
from sound2scene.stages.gan_start import start_networks, start_optimizers
from sound2scene.types import (
    DataFacts,
    EncoderFacts,
    Export,
    FeatureBatch,
    InputError,
    InstanceBatch,
)

_LOG = logging.getLogger(__name__)


class GanStage(pl.LightningModule):
    """Trains a generator to draw pictures that resemble an instance, from noise and the instance's z_image.

    Each batch (`sound2scene.data.reading.ReadInstances`) is one discriminator step; every
    `discriminator_steps` batches one generator step and one of the average follow. `global_step` counts
    generator steps. The image encoder is frozen and belongs to the data, as in `align`.

    Args:
        generator: Network, (B, Z) noise and (B, D) unit features to (B, 3, H, W) in [-1, 1].
        discriminator: Network, (B, 3, H, W) and (B, D) to one score each.
        loss: Hinge as published, or any dotted path with `discriminator` and `generator`.
        phases: Schedule of the steps.
        generator_optimizer: Optimizer for the generator; as published for 128 px by default.
        discriminator_optimizer: Optimizer for the discriminator; as published for 128 px by default.

    Raises:
        InputError: If a phase's number makes no sense; at the start, if the data brings no features, or
            features of another width.
    """

    batches: Tensor
    images: Tensor

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: AdversarialLoss | None = None,
        phases: Phases | None = None,
        generator_optimizer: OptimizerCallable = lambda parameters: AdversarialAdam(parameters, lr=4e-5),
        discriminator_optimizer: OptimizerCallable = lambda parameters: AdversarialAdam(parameters, lr=1e-4),
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.phases = (phases or Phases()).checked()
        # On CPUs and with bf16 on GPUs convolutions are faster with channels last; values do not change.
        self.generator = generator.to(memory_format=torch.channels_last)
        self.discriminator = discriminator.to(memory_format=torch.channels_last)
        synchronise_norms(self.generator, self.phases.synchronise_norms)
        self.average = AveragedGenerator(self.generator, self.phases.ema_decay)
        self.loss = loss if loss is not None else HingeLoss()
        self.resolution = whole_number(generator, "resolution")
        self.noise_dim, self.z_image_dim = (
            whole_number(generator, name) for name in ("z_dim", "z_image_dim")
        )
        self.optimizers_of = generator_optimizer, discriminator_optimizer
        self.watch = CollapseWatch()
        self.image_encoder: EncoderFacts | None = None
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.register_buffer("images", torch.zeros((), dtype=torch.int64))

    def setup(self, stage: str) -> None:
        """Look whether data and networks belong together, and prepare for two networks that take turns."""
        self.image_encoder = self.checked(facts_of(self.trainer))
        allow_unused_parameters(self.trainer)
        if stage == "fit":
            if self.phases.start:
                start_networks(self.phases.start, self.generator, self.discriminator, self.average)
            if self.phases.compile:
                self.generator.compile()
                self.discriminator.compile()

    def checked(self, facts: DataFacts) -> EncoderFacts:
        """The image encoder of the data, where it fits.

        Raises:
            InputError: If it does not.
        """
        encoder = facts.encoder
        if encoder is None:
            raise InputError("gan needs features of pictures; name data.init_args.features.image_encoder")
        if encoder.width != self.z_image_dim:
            raise InputError(
                f"{encoder.folder}: features have {encoder.width} dimensions and generator.z_image_dim is "
                f"{self.z_image_dim}; make them the same"
            )
        return encoder

    def on_fit_start(self) -> None:
        """Optimizers that go on, where they are to; a checkpoint of this run has the last word."""
        if self.phases.start:
            one, other = plain_optimizers(self)
            networks = {"generator": self.generator, "discriminator": self.discriminator}
            start_optimizers(self.phases.start, networks, {"generator": one, "discriminator": other})

    def training_step(self, batch: InstanceBatch, batch_index: int) -> None:
        """A discriminator step, and when its turn comes a generator step and one of the average."""
        if batch.image_BCHW.shape[-1] != self.resolution:
            raise InputError(
                f"data.init_args.read.init_args.side is {batch.image_BCHW.shape[-1]}, generator.resolution "
                f"{self.resolution}; make them the same"
            )
        generator_turn = (int(self.batches) + 1) % self.phases.discriminator_steps == 0
        self.images += len(batch.image_BCHW) * world()[1]
        if self._adversarial:
            self._discriminator_phase(batch)
        if generator_turn:
            self._generator_phase(batch)
            started = int(self.images) / 1000 >= self.phases.ema_start_kimg
            self.average.update(self.generator, started)
        self.batches += 1
        self.log("progress/kimg", int(self.images) / 1000)

    @property
    def _adversarial(self) -> bool:
        return int(self.images) / 1000 > self.phases.adversarial_start_kimg

    def _discriminator_phase(self, batch: InstanceBatch) -> None:
        optimizer = plain_optimizers(self)[1]
        optimizer.zero_grad(set_to_none=True)
        self._only(self.discriminator)
        parts = self.phases.accumulate
        total = torch.zeros((), device=self.device)
        for part, (image_BCHW, z_real_BD, z_fake_BD) in enumerate(_parts(batch, 0, parts)):
            with torch.no_grad():
                fake_BCHW = self.generator(self._noise(z_fake_BD, 2 * part), z_fake_BD)
            shown_BCHW = torch.cat([fake_BCHW.to(image_BCHW.dtype), image_BCHW])
            score_B = self.discriminator(
                self._augmented(shown_BCHW, 2 * part), torch.cat([z_fake_BD, z_real_BD])
            )
            fake_B, real_B = score_B.chunk(2)
            loss = self._finite(self.loss.discriminator(real_B, fake_B), "discriminator loss", batch)
            penalty = self._finite(self._slope_penalty(image_BCHW, z_real_BD), "slope penalty", batch)
            self.manual_backward((loss + penalty) / parts)
            total += loss.detach() / parts
        optimizer.step()
        for warning in self.watch.update(real_B.detach(), fake_B.detach(), image_BCHW, fake_BCHW):
            _LOG.warning("step %d: %s", self.global_step, warning)
        self.log("train/discriminator_loss", total, prog_bar=True)
        self.log("train/real_score", real_B.detach().float().mean())
        self.log("train/fake_score", fake_B.detach().float().mean())

    def _generator_phase(self, batch: InstanceBatch) -> None:
        optimizer = counted_optimizers(self)[0]
        optimizer.zero_grad(set_to_none=True)
        self._only(self.generator)
        parts = self.phases.accumulate
        total, apart = torch.zeros(2, device=self.device)
        weight = self.phases.pixel_weight
        own = _own(batch, parts) if weight else [None] * parts
        for part, (_, z_real_BD, z_drawn_BD) in enumerate(_parts(batch, 1, parts)):
            z_fake_BD = z_real_BD if weight else z_drawn_BD
            fake_BCHW = self.generator(self._noise(z_fake_BD, 2 * part + 1), z_fake_BD)
            loss = torch.zeros((), device=self.device)
            if self._adversarial:
                fake_B = self.discriminator(self._augmented(fake_BCHW, 2 * part + 1), z_fake_BD)
                loss = self._finite(self.loss.generator(fake_B), "generator loss", batch)
            own_BCHW = own[part]
            if own_BCHW is not None:
                distance = self._finite(l1_loss(fake_BCHW, own_BCHW), "pixel distance", batch)
                apart = apart + distance.detach() / parts
                loss = loss + weight * distance
            self.manual_backward(loss / parts)
            total = total + loss.detach() / parts
        optimizer.step()
        self.log("train/generator_loss", total, prog_bar=True)
        if weight:
            self.log("train/pixel_distance", apart)

    def _slope_penalty(self, image_BCHW: Tensor, z_real_BD: Tensor) -> Tensor:
        phases = self.phases
        if not phases.r1_weight or int(self.batches) % phases.r1_every:
            return torch.zeros((), device=self.device)
        image_BCHW = image_BCHW.detach().requires_grad_()
        penalty = slope_penalty(self.discriminator(image_BCHW, z_real_BD), image_BCHW)
        return penalty * phases.r1_weight * phases.r1_every

    def _noise(self, z_image_BD: Tensor, turn: int) -> Tensor:
        """This rank's rows of the global batch's noise, a function of (seed, batches so far, turn) alone."""
        rank, ranks = world()
        rows = len(z_image_BD)
        noise_GZ = torch.randn(rows * ranks, self.noise_dim, generator=self._dice(turn))
        return noise_GZ[rank * rows : (rank + 1) * rows].to(z_image_BD.device)

    def _augmented(self, image_BCHW: Tensor, turn: int) -> Tensor:
        return diff_augment(image_BCHW, self.phases.augment, self._dice(turn, world()[0] + 1))

    def _dice(self, turn: int, kind: int = 0) -> torch.Generator:
        """Chance that a resumed run meets again: nothing depends on what was drawn before."""
        return torch.Generator().manual_seed(seed_of(torch.initial_seed(), int(self.batches), turn, kind))

    def _only(self, network: nn.Module) -> None:
        """Let one network learn."""
        for one in (self.generator, self.discriminator):
            one.requires_grad_(one is network)

    def _finite(self, loss: Tensor, name: str, batch: InstanceBatch) -> Tensor:
        return finite(loss, name, batch.key, self.global_step)

    @torch.no_grad()
    def sample(self, batch: FeatureBatch, seeds: Sequence[int], draw: int = 0) -> Tensor:
        """Pictures of the averaged generator for the z_image of a batch; see `protocols.Sampling`."""
        noise_BZ = noise_rows(self.generator, seeds, [draw] * len(seeds))
        image_BCHW = draw_pictures(self.average, batch.z_image_BD.to(self.device), noise_BZ)
        return finite(image_BCHW, "pictures", batch.key, self.global_step)

    def validation_step(self, batch: FeatureBatch, batch_index: int) -> None:
        """Nothing of its own: callbacks sample and measure."""

    test_step = validation_step

    def configure_optimizers(self) -> Any:
        """One optimizer for either network."""
        for_generator, for_discriminator = self.optimizers_of
        return [
            for_generator(self.generator.parameters()),
            for_discriminator(self.discriminator.parameters()),
        ]

    def exports(self) -> Export:
        """The averaged generator, and the image encoder whose features it draws."""
        encoder = self.image_encoder or self.checked(facts_of(self.trainer))
        return Export(
            self.average.module, "generator", encoder.preset, {"image_encoder": encoder.fingerprint}
        )


def _own(batch: InstanceBatch, parts: int) -> Sequence[Tensor]:
    """The instances' own pictures in equal parts."""
    if batch.own_BCHW is None:
        raise InputError(
            "phases.pixel_weight compares with each instance's own picture; set "
            "data.init_args.read.init_args.own to true, or the weight to 0"
        )
    return batch.own_BCHW.chunk(parts)


def _parts(batch: InstanceBatch, turn: int, parts: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The batch in equal parts: real pictures, their conditions, and conditions for fakes, as unit rows."""
    if len(batch.image_BCHW) % parts:
        raise InputError(
            f"phases.accumulate {parts} does not divide data.batch_size {len(batch.image_BCHW)}; mend one"
        )
    z_real_BD, z_fake_BD = normalize(batch.z_image_BD, dim=1), normalize(batch.z_drawn_JBD[turn], dim=1)
    return list(
        zip(batch.image_BCHW.chunk(parts), z_real_BD.chunk(parts), z_fake_BD.chunk(parts), strict=True)
    )
