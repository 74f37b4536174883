"""Blocks of clips: the unit in which pictures are drawn, measured and kept, whoever does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from torch import Tensor

CLIPS = 32  # of a block; kernels round by the size of a batch, so that it never changes


class HeardBlock(NamedTuple):
    """Sounds of neighbouring clips.

    Attributes:
        number: Number of the block.
        key: Names of its B clips.
        position_B: Position of each clip in its split, int64.
        waveform_BT: 16 kHz mono sounds in [-1, 1], float32, 10 s; silence where
            nobody listens.
    """

    number: int
    key: list[str]
    position_B: Tensor
    waveform_BT: Tensor


class MeasuredBlock(NamedTuple):
    """What networks saw in the pictures of a block.

    Attributes:
        number: Number of the block.
        method: Name of the method that drew them.
        tensors: By name; the first axis of each is the clips of the block.
    """

    number: int
    method: str
    tensors: Mapping[str, Tensor]


class Storing(Protocol):
    """A place where measured blocks are kept."""

    def has(self, method: str, number: int) -> bool:
        """Whether a block of a method is there, whole."""
        ...

    def write(self, block: MeasuredBlock) -> None:
        """Keep a block, whole or not at all."""
        ...
