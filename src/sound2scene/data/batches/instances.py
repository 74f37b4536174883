"""What an instance-conditioned GAN learns from (IC-GAN, arXiv:2109.05070; facts page 03, section 5.3).

For an instance i: the features h_i as the condition, and as the real picture one of the k nearest neighbours
of i, never i itself. For the fakes: features of instances drawn from the whole split, a fresh set for the
discriminator's and for the generator's turn. Pictures and features are mirrored at random, independently of
each other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sound2scene import images
from sound2scene.data.batches.features import FeatureCache
from sound2scene.data.batches.reader import ClipReader
from sound2scene.data.batches.sampler import Draw, clip_seed
from sound2scene.data.shards.read import ShardDataset
from sound2scene.types import Batch

DRAWS = 2


class Instances(NamedTuple):
    """What there is to draw from.

    Attributes:
        side: Pixels of a real picture.
        neighbours_NK: Positions of each clip's neighbours.
        features: Of the pictures.
        flipped: Of the mirrored pictures; None where features are never mirrored.
    """

    side: int
    neighbours_NK: NDArray[np.int32]
    features: FeatureCache
    flipped: FeatureCache | None


def mirrored(picture: Image.Image) -> Image.Image:
    """Left and right exchanged."""
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


class InstanceReader(ClipReader):
    """Reads an instance's condition, its real picture and the conditions of its fakes.

    Args:
        shards: The split.
        instances: What there is to draw from.
        seed: With the epoch and the clip's position, seeds the draws.
    """

    def __init__(self, shards: ShardDataset, instances: Instances, seed: int = 0) -> None:
        super().__init__(shards, ["image"], seed=seed)
        self.instances = instances

    def __getitem__(self, draw: Draw) -> dict[str, Any]:
        dice = torch.Generator().manual_seed(clip_seed(self.seed, draw))
        near_K = self.instances.neighbours_NK[draw.position]
        neighbour = int(near_K[self._throw(len(near_K), dice)])
        picture = images.decode_jpeg(self.shards.member(neighbour, "jpg"), self.shards.where(neighbour))
        if self._throw(2, dice):
            picture = mirrored(picture)
        drawn = [self._feature(self._throw(len(self), dice), dice) for _ in range(DRAWS)]
        return {
            "position": draw.position,
            "image": images.square_pixels(picture, self.instances.side),
            "z_image": self._feature(draw.position, dice),
            "z_drawn": torch.stack(drawn),
        }

    def collate(self, items: list[dict[str, Any]]) -> Batch:
        """Clips to a batch: real pictures in [-1, 1], (B, 3, side, side), and draws first, (2, B, D)."""
        batch = super().collate(items)
        assert batch.image_BCHW is not None
        z_drawn_JBD = torch.stack([item["z_drawn"] for item in items], dim=1)
        return batch._replace(image_BCHW=images.to_model(batch.image_BCHW), z_drawn_JBD=z_drawn_JBD)

    def _feature(self, position: int, dice: torch.Generator) -> Tensor:
        cache = self.instances.features
        if self.instances.flipped is not None and self._throw(2, dice):
            cache = self.instances.flipped
        return torch.tensor(cache.row(position))

    def _throw(self, sides: int, dice: torch.Generator) -> int:
        return int(torch.randint(sides, (), generator=dice))
