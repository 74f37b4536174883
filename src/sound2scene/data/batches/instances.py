"""What an instance-conditioned GAN learns from (IC-GAN, arXiv:2109.05070).

For an instance i: the features h_i as the condition, and as the real picture one of the k nearest neighbours
of i, never i itself. For the fakes: features of instances drawn from the whole split, a fresh set for the
discriminator's and for the generator's turn. Pictures and features are mirrored at random, independently of
each other. A loss of pixels also needs the picture of i itself, mirrored as its features are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sound2scene import images
from sound2scene.data.batches.features import FeatureCache
from sound2scene.data.batches.frozen_encoder import mirrored
from sound2scene.data.batches.reader import ClipReader, feature, open_picture, shared_stack
from sound2scene.data.batches.sampler import Draw, augmentation_seed
from sound2scene.protocols import Pictures
from sound2scene.types import InstanceBatch

DRAWS = 2


@dataclass
class Neighbourhood:
    """What there is to draw from.

    Attributes:
        side: Pixels of a real picture.
        neighbours_NK: Positions of each clip's neighbours.
        features: Features of the pictures.
        flipped: Features of the mirrored pictures; None where features are never mirrored.
        own: Whether the instance's own picture is read, too.
    """

    side: int
    neighbours_NK: NDArray[np.int32]
    features: FeatureCache
    flipped: FeatureCache | None
    own: bool = False


class _Instance(NamedTuple):
    position: int
    pixels_CHW: Tensor
    z_image_D: Tensor
    z_drawn_JD: Tensor
    own_CHW: Tensor | None


class InstanceReader(ClipReader[_Instance]):
    """Reads an instance's condition, its real picture and the conditions of its fakes.

    Args:
        split: The pictures.
        around: What there is to draw from.
        seed: With the epoch and the clip's position, seeds the draws.
    """

    def __init__(self, split: Pictures, around: Neighbourhood, seed: int = 0) -> None:
        self.split, self.around, self.seed = split, around, seed

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, draw: Draw) -> _Instance:
        dice, near = self._begin(draw)
        pixels_CHW = self._pixels(near, self._mirror(dice))
        drawn = [self._feature(_throw(len(self), dice), self._mirror(dice)) for _ in range(DRAWS)]
        mirror = self._mirror(dice)
        own_CHW = self._pixels(draw.position, mirror) if self.around.own else None
        feature_D = self._feature(draw.position, mirror)
        return _Instance(draw.position, pixels_CHW, feature_D, torch.stack(drawn), own_CHW)

    def wanted(self, draw: Draw) -> list[tuple[int, str]]:
        """The picture of a neighbour, and the instance's own where it is read."""
        own = [(draw.position, "jpg")] if self.around.own else []
        return [(self._begin(draw)[1], "jpg"), *own]

    def _begin(self, draw: Draw) -> tuple[torch.Generator, int]:
        """The dice of a draw, and the neighbour that their first throw chooses."""
        dice = torch.Generator().manual_seed(augmentation_seed(self.seed, draw))
        near_K = self.around.neighbours_NK[draw.position]
        return dice, int(near_K[_throw(len(near_K), dice)])

    def collate(self, items: list[_Instance]) -> InstanceBatch:
        """Clips to a batch: real pictures in [-1, 1], (B, 3, side, side), and draws first, (2, B, D)."""
        position, pixels, z_image, z_drawn, own = zip(*items, strict=True)
        return InstanceBatch(
            [self.split.key(number) for number in position],
            images.to_model(shared_stack(pixels)),
            torch.stack(z_image),
            torch.stack(z_drawn, dim=1),
            images.to_model(shared_stack(own)) if self.around.own else None,
        )

    def _mirror(self, dice: torch.Generator) -> bool:
        return self.around.flipped is not None and bool(_throw(2, dice))

    def _pixels(self, position: int, mirror: bool) -> Tensor:
        picture = open_picture(self.split, position)
        return images.square_pixels(mirrored(picture) if mirror else picture, self.around.side)

    def _feature(self, position: int, mirror: bool) -> Tensor:
        flipped = self.around.flipped
        return feature(flipped if mirror and flipped is not None else self.around.features, position)


def _throw(sides: int, dice: torch.Generator) -> int:
    return int(torch.randint(sides, (), generator=dice))
