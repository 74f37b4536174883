"""Work that predicting processes share: every item once, none twice, none lost."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset

from sound2scene.distributed import world
from sound2scene.processes import leave_stopping_to_parent

Name = TypeVar("Name")
Item = TypeVar("Item")


class ShareModule(pl.LightningDataModule, Generic[Name, Item]):
    """Every item once: rank r of n takes items r, r + n, ...; some ranks may get one less, or none.

    All share the first rank's list: one that began earlier or later knows of less or more that is done.

    Args:
        items: What names each item.
        workers: Loader processes per process.
    """

    def __init__(self, items: Sequence[Name], workers: int) -> None:
        super().__init__()
        self.items, self.workers = list(items), workers
        self.allow_zero_length_dataloader_with_multiple_devices = True

    @abstractmethod
    def dataset(self, items: list[Name]) -> Dataset[Item]:
        """The items of one process, in this order."""

    def setup(self, stage: str) -> None:
        """Take the first rank's list."""
        if self.trainer is not None:
            self.items = self.trainer.strategy.broadcast(self.items)

    def predict_dataloader(self) -> DataLoader[Item]:
        """This process's share, one item at a time."""
        rank, ranks = world()
        share = self.dataset(self.items[rank::ranks])
        return DataLoader(
            share,
            batch_size=1,
            num_workers=self.workers,
            worker_init_fn=leave_stopping_to_parent,
            collate_fn=_single,
        )


def _single(items: list[Item]) -> Item:
    return items[0]
