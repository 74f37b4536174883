"""The schedule of the stage `gan`."""

from __future__ import annotations

from dataclasses import dataclass, field

from sound2scene.models.diff_augment import check_policies
from sound2scene.ranges import PLENTY, RATE, SHARE, check
from sound2scene.types import InputError


@dataclass
class Phases:
    """How a batch becomes steps; thousands of real pictures over all processes (kimg) are the ruler of time.

    Attributes:
        discriminator_steps: Batches, each a step of the discriminator, to one step of the generator.
        accumulate: Parts in which a batch passes the networks; their gradients add up to one step.
        ema_decay: Decay of the averaged generator, per generator step.
        ema_start_kimg: Until then the average equals the live generator.
        r1_weight: Weight of the slope penalty at real pictures; 0 leaves it out.
        r1_every: Discriminator steps between two penalties, each weighted by their number.
        pixel_weight: Weight of the mean absolute difference between a drawn picture and its instance's own
            (pix2pix, arXiv:1611.07004, equation 3), which the data brings with `read.own`. IC-GAN has no
            such term. With it, the generator is shown the batch's own instances.
        adversarial_start_kimg: Until then the generator learns from the pixels alone, and the discriminator
            rests: pixels teach what lies where in a fraction of the steps that a discriminator needs.
        augment: Policies of DiffAugment, of `colour`, `translation`, `cutout`.
        synchronise_norms: Batch norms take their statistics over all processes (published: each over its
            own).
        compile: Compile both networks.
        start: Folder of a generator artifact to start from, with discriminator and optimizers where they lie
            beside it.
    """

    discriminator_steps: int = 1
    accumulate: int = 1
    ema_decay: float = 0.9999
    ema_start_kimg: float = 0.0
    r1_weight: float = 0.0
    r1_every: int = 16
    pixel_weight: float = 0.0
    adversarial_start_kimg: float = 0.0
    augment: list[str] = field(default_factory=list)
    synchronise_norms: bool = False
    compile: bool = False
    start: str | None = None

    def checked(self) -> Phases:
        """Itself.

        Raises:
            InputError: If a number makes no sense, or one without another.
        """
        check_policies(self.augment)
        for name in ("discriminator_steps", "accumulate", "r1_every"):
            check("phases", PLENTY, **{name: getattr(self, name)})
        check("phases", SHARE, ema_decay=self.ema_decay)
        for name in ("ema_start_kimg", "r1_weight", "pixel_weight", "adversarial_start_kimg"):
            check("phases", RATE, **{name: getattr(self, name)})
        if self.adversarial_start_kimg and not self.pixel_weight:
            raise InputError(
                f"phases.adversarial_start_kimg is {self.adversarial_start_kimg} and pixel_weight 0, so "
                "nothing would be learned before; set a pixel_weight"
            )
        return self
