"""Pictures of the toy world with what is known of them, as batches."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sound2scene.data.batches.reader import Chain, ClipReader, open_picture, seeded, shared_stack
from sound2scene.data.batches.sampler import Draw
from sound2scene.data.toy.scenes import scenes_of
from sound2scene.protocols import Pictures
from sound2scene.types import SceneBatch


class _Shown(NamedTuple):
    position: int
    pixels_CHW: Tensor


class SceneReader(ClipReader[_Shown]):
    """Reads pictures of the toy world.

    Args:
        split: The pictures.
        chain: Picture to uint8 pixels (C, H, W), in which nothing moves.
        change: Random change of the pixels, or None.
        seed: With the epoch and the clip's position, seeds the random changes.
    """

    kinds = ("jpg", "json")

    def __init__(self, split: Pictures, chain: Chain, change: nn.Module | None = None, seed: int = 0) -> None:
        self.split, self.chain, self.change, self.seed = split, chain, change, seed

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, draw: Draw) -> _Shown:
        pixels_CHW = self.chain(open_picture(self.split, draw.position))
        if self.change is not None:
            with seeded(self.seed, draw):
                pixels_CHW = self.change(pixels_CHW)
        return _Shown(draw.position, pixels_CHW)

    def collate(self, items: list[_Shown]) -> SceneBatch:
        """Pictures to a batch."""
        positions = [item.position for item in items]
        scene = scenes_of(self.split, positions)
        pixels_BCHW = shared_stack([item.pixels_CHW for item in items])
        return SceneBatch(
            [self.split.key(one) for one in positions], torch.tensor(positions), pixels_BCHW, scene
        )
