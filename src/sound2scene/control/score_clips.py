"""Clips of the toy world on which control is measured: their kinds, sounds and pictures."""

from __future__ import annotations

from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sound2scene import audio, images
from sound2scene.data.shards.read import ShardDataset, UnreadableError
from sound2scene.data.toy.scenes import scenes_of
from sound2scene.data.toy.truth import KINDS
from sound2scene.progress import tracked
from sound2scene.seeds import seed_of
from sound2scene.types import InputError, Rejected, Scene


class ToyClips:
    """Clips of a split that can be measured on; each is read once to find out, and again when it is used.

    Args:
        shards: Folder or address of toy shards.
        split: Split of it.
        most: How many clips of one source are used, and how many of two.
        seed: Seed of who goes with whom; see :meth:`partner`.

    Attributes:
        split: The split.
        single: Positions of clips of one source.
        shown: Those of them whose picture shows it.
        double: Positions of clips of two sources.
        rejected: Clips that cannot be used, and why.

    Raises:
        InputError: If the dataset cannot be read, is not of the toy world, or has no clips of two different
            kinds whose pictures show what sounds.
    """

    def __init__(self, shards: str, split: str, most: int, seed: int = 0) -> None:
        self.split, self._seed = ShardDataset(shards, split), seed
        if tuple(self.split.classes) != KINDS:
            raise InputError(
                f"{shards}: not of the toy world, of whose pictures all is known; give shards that "
                "`sound2scene prepare toy` wrote"
            )
        self.single: list[int] = []
        self.shown: list[int] = []
        self.double: list[int] = []
        self.rejected: list[Rejected] = []
        alone_N = self.split.label_N >= 0
        chosen = [
            position
            for is_alone in (True, False)
            for position in islice((alone_N == is_alone).nonzero().flatten().tolist(), most)
        ]
        for position in tracked(chosen, len(chosen), f"clips of {shards}", "clip"):
            try:
                self._admit(position)
            except UnreadableError:
                raise
            except InputError as error:
                self.rejected.append(Rejected(self.key(position), str(error)))
        if len({self.kind(position) for position in self.shown}) < 2:
            raise InputError(
                f"{shards}: {split} shows fewer than two kinds of source in {len(self.single)} clips of one; "
                "give more clips"
            )

    def _admit(self, position: int) -> None:
        if audio.is_silent(self.waveform(position)):
            raise InputError(f"{self.split.where(position)}: silent, so that nothing can be heard in it")
        self.pixels(position, 32)
        if self.heard(position).present_BK.sum() > 1:
            self.double.append(position)
            return
        self.single.append(position)
        if scenes_of(self.split, [position]).present_BK.sum() == 1:
            self.shown.append(position)

    def key(self, position: int) -> str:
        """Name of a clip."""
        return self.split.key(position)

    def kind(self, position: int) -> int:
        """Kind of the source of a clip of one."""
        return int(self.split.label_N[position])

    def heard(self, position: int) -> Scene:
        """What all of a clip's sound tells, as a batch of one."""
        return scenes_of(self.split, [position], heard=True)

    def waveform(self, position: int) -> NDArray[np.float32]:
        """Sound of a clip, 160,000 samples at 16 kHz in [-1, 1]."""
        return self.split.waveform(position)

    def pixels(self, position: int, side: int) -> Tensor:
        """Picture of a clip as a generator of that size could draw it, uint8 (3, side, side)."""
        jpeg = self.split.member(position, "jpg")
        return images.square_pixels(images.decode_jpeg(jpeg, self.split.where(position)), side)

    def kinds(self, positions: list[int]) -> Tensor:
        """Kinds of clips of one source, int64 (N,)."""
        return torch.tensor([self.kind(position) for position in positions])

    def partner(self, position: int) -> int:
        """Another clip of one source of another kind, always the same one for the same seed."""
        others = [one for one in self.single if self.kind(one) != self.kind(position)]
        dice = np.random.default_rng(seed_of("partner", self._seed, self.key(position)))
        return others[int(dice.integers(len(others)))]
