"""Stage `gan`: an instance-conditioned generator and its discriminator (IC-GAN, arXiv:2109.05070; paper §2.1)."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import OptimizerCallable
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, nn
from torch.nn.functional import normalize

from sound2scene import artifacts
from sound2scene.data.batches.frozen_encoder import load_frozen
from sound2scene.data.clips import ClipDataModule
from sound2scene.distributed import world
from sound2scene.latent import noise_of_clips
from sound2scene.losses.adversarial import HingeLoss, slope_penalty
from sound2scene.metrics.collapse import CollapseWatch
from sound2scene.models.conditional_norm import synchronise_norms
from sound2scene.models.diff_augment import diff_augment
from sound2scene.models.ema import AveragedGenerator
from sound2scene.optimization import discriminator_adam, generator_adam
from sound2scene.protocols import AdversarialLoss
from sound2scene.stages.gan_phases import Phases
from sound2scene.stages.gan_start import start_networks, start_optimizers
from sound2scene.types import Batch, DivergedError, Export, InputError

_LOG = logging.getLogger(__name__)


class GanStage(pl.LightningModule):
    """Trains a generator to draw pictures that resemble an instance, from noise and the instance's z_image.

    Each batch is one discriminator step; every `discriminator_steps` batches one generator step and one of
    the average follow. `global_step` counts generator steps. The image encoder is frozen and its features
    cached, as in `align`.

    Args:
        generator: (B, Z) noise and (B, D) unit features to (B, 3, H, W) in [-1, 1].
        discriminator: (B, 3, H, W) and (B, D) to one score each.
        image_encoder: Folder of an image-encoder artifact whose features have the same D.
        loss: Hinge as published, or any dotted path with `discriminator` and `generator`.
        phases: Schedule.
        generator_optimizer: As published for 128 px by default.
        discriminator_optimizer: As published for 128 px by default.
        cache: Folder of cached image features.

    Raises:
        InputError: If the artifact is missing or of another width, or a phase's number makes no sense.
    """

    batches: Tensor
    images: Tensor

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        image_encoder: str,
        loss: AdversarialLoss | None = None,
        phases: Phases | None = None,
        generator_optimizer: OptimizerCallable = generator_adam,
        discriminator_optimizer: OptimizerCallable = discriminator_adam,
        cache: str = "data/features",
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
        self.resolution = cast(int, generator.resolution)
        self.image_encoder, self.cache = image_encoder, cache
        self.optimizers_of = generator_optimizer, discriminator_optimizer
        self.watch = CollapseWatch()
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.register_buffer("images", torch.zeros((), dtype=torch.int64))

    def setup(self, stage: str) -> None:
        """Compute or find the image features, and prepare for two networks that take turns."""
        if isinstance(self.trainer.strategy, DDPStrategy):
            # Each backward reaches one of the networks alone. Lightning has no public place to say so but the
            # recipe, where a forgotten key would end in a riddle.
            self.trainer.strategy._ddp_kwargs.setdefault("find_unused_parameters", True)
        key, width = "generator.z_image_dim", cast(int, self.generator.z_image_dim)
        frozen = load_frozen(self.image_encoder, self.cache, self.trainer.strategy.root_device, key, width)
        data = cast(ClipDataModule, self.trainer.datamodule)  # type: ignore[attr-defined]
        splits = {"fit": ["train", "val"], "validate": ["val"], "test": ["test"], "predict": ["val"]}[stage]
        data.use_features(splits, *frozen)
        if stage == "fit":
            if self.phases.start:
                start_networks(self.phases.start, self.generator, self.discriminator, self.average)
            data.use_instances(self.resolution, self.phases.neighbours, *frozen)
            if self.phases.compile:
                self.generator.compile()
                self.discriminator.compile()

    def on_fit_start(self) -> None:
        """Optimizers that go on, where they are to; a checkpoint of this run comes later and has the last word."""
        if self.phases.start:
            one, other = self.optimizers(use_pl_optimizer=False)  # type: ignore[misc]
            networks = {"generator": self.generator, "discriminator": self.discriminator}
            start_optimizers(self.phases.start, networks, {"generator": one, "discriminator": other})

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """A discriminator step, and when its turn comes a generator step and one of the average."""
        assert batch.image_BCHW is not None
        assert batch.z_image_BD is not None
        assert batch.z_drawn_JBD is not None
        generator_turn = (int(self.batches) + 1) % self.phases.discriminator_steps == 0
        self.images += len(batch.image_BCHW) * world()[1]
        self._discriminator_phase(batch)
        if generator_turn:
            self._generator_phase(batch)
            started = int(self.images) / 1000 >= self.phases.ema_start_kimg
            self.average.update(self.generator, started)
        self.batches += 1
        self.log("progress/kimg", int(self.images) / 1000)

    def _discriminator_phase(self, batch: Batch) -> None:
        optimizer = cast(torch.optim.Optimizer, self.optimizers(use_pl_optimizer=False)[1])  # type: ignore[index]
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

    def _generator_phase(self, batch: Batch) -> None:
        optimizer = cast(Any, self.optimizers())[0]
        optimizer.zero_grad(set_to_none=True)
        self._only(self.generator)
        parts = self.phases.accumulate
        total = torch.zeros((), device=self.device)
        for part, (_, _, z_fake_BD) in enumerate(_parts(batch, 1, parts)):
            fake_BCHW = self.generator(self._noise(z_fake_BD, 2 * part + 1), z_fake_BD)
            fake_B = self.discriminator(self._augmented(fake_BCHW, 2 * part + 1), z_fake_BD)
            loss = self._finite(self.loss.generator(fake_B), "generator loss", batch)
            self.manual_backward(loss / parts)
            total += loss.detach() / parts
        optimizer.step()
        self.log("train/generator_loss", total, prog_bar=True)

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
        noise_GZ = torch.randn(rows * ranks, cast(int, self.generator.z_dim), generator=self._dice(turn))
        return noise_GZ[rank * rows : (rank + 1) * rows].to(z_image_BD.device)

    def _augmented(self, image_BCHW: Tensor, turn: int) -> Tensor:
        return diff_augment(image_BCHW, self.phases.augment, self._dice(turn, world()[0] + 1))

    def _dice(self, turn: int, kind: int = 0) -> torch.Generator:
        """Chance that a resumed run meets again: nothing depends on what was drawn before."""
        numbers = (torch.initial_seed(), int(self.batches), turn, kind)
        return torch.Generator().manual_seed(hash(numbers) % 2**63)

    def _only(self, network: nn.Module) -> None:
        """Let one network learn."""
        for one in (self.generator, self.discriminator):
            one.requires_grad_(one is network)

    def _finite(self, loss: Tensor, name: str, batch: Batch) -> Tensor:
        if not torch.isfinite(loss):
            raise DivergedError(
                f"step {self.global_step}: {name} is {loss.item()} for clips {', '.join(batch.key)}"
            )
        return loss

    @torch.no_grad()
    def sample(self, batch: Batch, draw: int = 0) -> Tensor:
        """Pictures of the averaged generator for the z_image of a batch, (B, 3, H, W) in [-1, 1].

        The noise of a picture follows from its clip's index and the number of the draw alone.
        """
        assert batch.z_image_BD is not None
        noise_BZ = noise_of_clips(batch.index_B, cast(int, self.generator.z_dim), draw).to(self.device)
        return cast(
            Tensor, self.average(noise_BZ, normalize(batch.z_image_BD.to(self.device), dim=1))
        ).float()

    def validation_step(self, batch: Batch, batch_index: int) -> None:
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
        """The averaged generator."""
        card = artifacts.read_card(self.image_encoder)
        assert card.preset is not None
        return Export(self.average.module, "generator", card.preset, {"image_encoder": card.fingerprint})


def _parts(batch: Batch, turn: int, parts: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The batch in equal parts: real pictures, their conditions, and conditions for fakes, as unit rows."""
    assert batch.image_BCHW is not None
    assert batch.z_image_BD is not None
    assert batch.z_drawn_JBD is not None
    if len(batch.image_BCHW) % parts:
        raise InputError(
            f"phases.accumulate {parts} does not divide data.batch_size {len(batch.image_BCHW)}; mend one"
        )
    z_real_BD, z_fake_BD = normalize(batch.z_image_BD, dim=1), normalize(batch.z_drawn_JBD[turn], dim=1)
    return list(
        zip(batch.image_BCHW.chunk(parts), z_real_BD.chunk(parts), z_fake_BD.chunk(parts), strict=True)
    )
