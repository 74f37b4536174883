"""What every DataModule shares: exact epochs on any number of processes, a restart at the next item."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeVar, cast

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from sound2scene.data.batches.sampler import Draw, EpochSampler, Progress, WholeSplitSampler
from sound2scene.distributed import world
from sound2scene.lightning import batches_trained
from sound2scene.processes import give_way_to_parent, leave_stopping_to_parent
from sound2scene.ranges import BATCH, SEED, WORKERS, check

Item = TypeVar("Item")


class _ResumableLoader(DataLoader[Any]):
    """Asks at the first batch where to begin, and tells Lightning that the DataModule sees to a restart.

    Lightning makes the iterator before it has restored its counters, and a loader with workers would have its
    first batches chosen there and then. Without the two states it would warn of lost clips.
    """

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        yield from super().__iter__()

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        pass


class Collating(Protocol[Item]):
    """A dataset that knows how its items become a batch."""

    def __len__(self) -> int:
        """Number of items."""
        ...

    def __getitem__(self, draw: Draw) -> Item:
        """One item."""
        ...

    def collate(self, items: list[Item]) -> Any:
        """Items to a batch."""
        ...


class ResumableDataModule(pl.LightningDataModule):
    """Loaders over whole global batches, and where the epoch stands.

    Args:
        batch_size: Items per process.
        workers: Loader processes per process.
        seed: Seed of order and augmentation.

    Raises:
        InputError: If a number makes no sense.
    """

    def __init__(self, batch_size: int, workers: int, seed: int) -> None:
        super().__init__()
        check("data", BATCH, batch_size=batch_size)
        check("data", WORKERS, workers=workers)
        check("data", SEED, seed=seed)
        self.batch_size, self.workers, self.seed = batch_size, workers, seed
        self._progress = Progress()
        self._train_batches = 1

    def coverage(self) -> dict[str, dict[str, int]]:
        """How much of its source the data covers, per split of the source; empty where it was not counted."""
        return {}

    def _epochs(self, items: int) -> EpochSampler:
        """The order of training."""
        sampler = EpochSampler(items, self.batch_size, self.seed, *world(), where=self._position)
        self._train_batches = sampler.batches
        return sampler

    def _loader(
        self,
        reader: Collating[Any],
        sampler: EpochSampler | WholeSplitSampler,
        batch_size: int | None = None,
    ) -> DataLoader[Any]:
        return _ResumableLoader(
            cast(Dataset[Any], reader),
            batch_size=batch_size
            or self.batch_size,  # by name: Lightning makes the loader of `predict` anew by name
            sampler=sampler,
            num_workers=self.workers,
            worker_init_fn=leave_stopping_to_parent
            if torch.accelerator.is_available()
            else give_way_to_parent,
            collate_fn=reader.collate,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.workers > 0,
        )

    def _trained(self) -> tuple[int, int]:
        """Batches trained on so far, and batches in an epoch."""
        if self.trainer is None:
            return 0, 1
        # The Trainer's number is infinite until it has asked for the first batch; `limit_train_batches`
        # lowers it.
        return batches_trained(self.trainer), int(min(self.trainer.num_training_batches, self._train_batches))

    def _position(self) -> tuple[int, int]:
        return self._progress.position(*self._trained()) if self.trainer is not None else (0, 0)

    def state_dict(self) -> dict[str, Any]:
        """Where the epoch stands, for the checkpoint."""
        return self._progress.state(*self._trained(), self.batch_size * world()[1])

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on there.

        Raises:
            InputError: If the global batch has changed in the middle of an epoch.
        """
        self._progress.restore(state_dict, self.batch_size * world()[1])
