"""Blocks of neighbouring clips' sounds, decoded in worker processes: what methods draw pictures of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.utils.data import Dataset

from sound2scene.blocks import CLIPS, HeardBlock
from sound2scene.data.batches.shares import ShareModule
from sound2scene.protocols import Sounds
from sound2scene.types import CLIP_SAMPLES


class HeardDataset(Dataset[HeardBlock]):
    """Blocks of sounds.

    Args:
        split: Clips with sounds.
        positions: Positions in the split of all clips that are drawn.
        blocks: Numbers of the blocks that are still to be drawn.
        is_heard: Whether anyone listens; else no sound is decoded, and silence comes.
    """

    def __init__(
        self, split: Sounds, positions: Sequence[int], blocks: Sequence[int], is_heard: bool = True
    ) -> None:
        self.split, self.positions, self.blocks, self.is_heard = split, positions, blocks, is_heard

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, item: int) -> HeardBlock:
        number = self.blocks[item]
        chosen = self.positions[number * CLIPS : (number + 1) * CLIPS]
        waveform_BT = torch.zeros(len(chosen), CLIP_SAMPLES)
        if self.is_heard:
            waveform_BT = torch.stack([torch.from_numpy(self.split.waveform(one)) for one in chosen])
        keys = [self.split.key(position) for position in chosen]
        return HeardBlock(number, keys, torch.tensor(chosen), waveform_BT)


class HeardModule(ShareModule[int, HeardBlock]):
    """Every block once, shared by all processes.

    Args:
        split: Clips with sounds.
        positions: Positions in the split of all clips that are drawn.
        blocks: Numbers of the blocks that are still to be drawn.
        workers: Decoding processes per process.
        is_heard: Whether anyone listens; else no sound is decoded, and silence comes.
    """

    def __init__(
        self,
        split: Sounds,
        positions: Sequence[int],
        blocks: Sequence[int],
        workers: int = 2,
        is_heard: bool = True,
    ) -> None:
        super().__init__(blocks, workers)
        self.split, self.positions, self.is_heard = split, positions, is_heard

    def dataset(self, items: list[int]) -> HeardDataset:
        """Blocks of one process."""
        return HeardDataset(self.split, self.positions, items, self.is_heard)
