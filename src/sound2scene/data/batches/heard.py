"""Blocks of neighbouring clips' sounds, decoded in worker processes: what methods draw pictures of."""

from __future__ import annotations

from collections.abc import Sequence

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from sound2scene.blocks import CLIPS, HeardBlock
from sound2scene.distributed import world
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


class HeardModule(pl.LightningDataModule):
    """Every block once: rank r of n takes blocks r, r + n, ...; some ranks may get one less, or none.

    All share the first rank's list, as one that begins later knows of more that is done.

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
        super().__init__()
        self.split, self.positions, self.is_heard = split, positions, is_heard
        self.blocks, self.workers = list(blocks), workers
        self.allow_zero_length_dataloader_with_multiple_devices = True

    def setup(self, stage: str) -> None:
        """Take the first rank's list."""
        if self.trainer is not None:
            self.blocks = self.trainer.strategy.broadcast(self.blocks)

    def predict_dataloader(self) -> DataLoader[HeardBlock]:
        """This process's share, one block at a time."""
        rank, ranks = world()
        dataset = HeardDataset(self.split, self.positions, self.blocks[rank::ranks], self.is_heard)
        return DataLoader(dataset, batch_size=1, num_workers=self.workers, collate_fn=_single)


def _single(blocks: list[HeardBlock]) -> HeardBlock:
    return blocks[0]
