"""What the generator of the stage `s2i` minimises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from sound2scene.ranges import RATE, SHARE, check
from sound2scene.types import InputError


@dataclass
class Objective:
    """Choices that the publication of S2I leaves open, each with our default.

    Attributes:
        pixel: Error of a drawn picture against the real one: mean `squared` error (inferred from the
            autoencoder's loss) or mean `absolute` error, over pixels in [-1, 1].
        pixel_weight: Weight of that error.
        adversarial_weight: Weight of the adversarial loss; 0 leaves a plain regression of pictures.
        moving_average: Share of a score, as the generator's loss sees it, that is the moving average of the
            scores of fakes so far, which keeps that share of itself with every batch. The abstract names a
            moving-average adversarial loss without its formula; 0, ours, is a plain loss.
        mismatched: Show the discriminator real pictures with the sound of another clip as fakes, too.
    """

    pixel: Literal["squared", "absolute"] = "squared"
    pixel_weight: float = 1.0
    adversarial_weight: float = 0.1
    moving_average: float = 0.0
    mismatched: bool = False

    def checked(self) -> Objective:
        """Itself.

        Raises:
            InputError: If a number or a word makes no sense.
        """
        check("objective", RATE, pixel_weight=self.pixel_weight, adversarial_weight=self.adversarial_weight)
        check("objective", SHARE, moving_average=self.moving_average)
        if self.pixel not in ("squared", "absolute"):
            raise InputError(f"objective.pixel is {self.pixel!r}; choose squared or absolute")
        return self

    def pixel_loss(self, drawn_BCHW: Tensor, real_BCHW: Tensor) -> Tensor:
        """Mean error over all pixels, not weighted."""
        error = mse_loss if self.pixel == "squared" else l1_loss
        return error(drawn_BCHW.float(), real_BCHW.float())
