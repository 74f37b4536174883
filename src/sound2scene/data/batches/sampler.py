"""Which clip comes when: exact over ranks, workers and restarts, from (seed, epoch) alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import torch
from torch.utils.data import DistributedSampler

from sound2scene.seeds import seed_of
from sound2scene.types import InputError


class Draw(NamedTuple):
    """A clip's position in its split, and the epoch it is drawn in; together they seed its augmentation."""

    epoch: int
    position: int


Where = Callable[[], tuple[int, int]]


Item = TypeVar("Item")


class EpochSampler(DistributedSampler[Draw]):
    """Training order: whole global batches of a shuffle by (seed, epoch), without the ragged last one.

    Global batch number k is the same set of clips for any number of ranks; rank r reads its r-th slice. A
    subclass of DistributedSampler only so that Lightning sees that the data is distributed already and calls
    `set_epoch`.

    Args:
        clips: In the split.
        batch_size: Per rank.
        seed: Seed of the shuffles.
        rank: Number of this process.
        ranks: Number of processes.
        where: Asked whenever a pass begins: the epoch and the batch to begin at. None: batch 0 of the epoch
            that `set_epoch` told.

    Raises:
        InputError: If the split does not fill one global batch.
    """

    def __init__(
        self, clips: int, batch_size: int, seed: int, rank: int, ranks: int, where: Where | None = None
    ) -> None:
        if clips < batch_size * ranks:
            raise InputError(
                f"{clips} clips do not fill a batch of {batch_size} on {ranks} processes; lower "
                "data.batch_size"
            )
        super().__init__(range(clips), num_replicas=ranks, rank=rank, seed=seed)  # type: ignore[arg-type]
        self.clips, self.batch_size = clips, batch_size
        self.batches = clips // (batch_size * ranks)
        self.where: Where = where or (lambda: (self.epoch, 0))

    def __len__(self) -> int:
        return self.batches * self.batch_size

    def __iter__(self) -> Iterator[Draw]:
        epoch, first = self.where()
        generator = torch.Generator().manual_seed(seed_of(self.seed, epoch))
        order = torch.randperm(self.clips, generator=generator)
        batches = order[: self.batches * self.batch_size * self.num_replicas].view(
            self.batches, self.num_replicas, self.batch_size
        )
        # To iterate a tensor would make one of each of its numbers before the first comes.
        return (
            Draw(epoch, position)
            for number in range(first, self.batches)
            for position in batches[number, self.rank].tolist()
        )


class WholeSplitSampler(DistributedSampler[Draw]):
    """Evaluation order: every clip once, rank r reads clips r, r + ranks, ...; ranks may differ by one clip.

    Raises:
        InputError: If there are fewer clips than processes.
    """

    def __init__(self, clips: int, rank: int, ranks: int) -> None:
        if clips < ranks:
            raise InputError(f"{clips} clips cannot be evaluated on {ranks} processes; use at most {clips}")
        super().__init__(range(clips), num_replicas=ranks, rank=rank, shuffle=False)  # type: ignore[arg-type]
        self.mine = range(rank, clips, ranks)

    def __len__(self) -> int:
        return len(self.mine)

    def __iter__(self) -> Iterator[Draw]:
        return (Draw(0, position) for position in self.mine)


class Progress:
    """Where training stands, from the number of batches trained on.

    Not from the Trainer's epoch: that one runs ahead when `max_steps` ends a run within an epoch, and neither
    it nor a count of batches fetched knows that the batch an exception interrupted comes again.
    """

    def __init__(self) -> None:
        self.start = {"epoch": 0, "batch": 0, "trained": 0, "global_batch": 0}

    def position(self, trained: int, batches: int) -> tuple[int, int]:
        """Epoch and batch to go on at, after `trained` batches over all runs; epochs now have `batches`."""
        epochs, batch = divmod(self.start["batch"] + trained - self.start["trained"], max(batches, 1))
        return self.start["epoch"] + epochs, batch

    def state(self, trained: int, batches: int, global_batch: int) -> dict[str, int]:
        """What a checkpoint keeps."""
        epoch, batch = self.position(trained, batches)
        return {"epoch": epoch, "batch": batch, "trained": trained, "global_batch": global_batch}

    def restore(self, state: Mapping[str, int], global_batch: int) -> None:
        """Go on where `state` was written.

        Raises:
            InputError: If the global batch has changed in the middle of an epoch: clips would be lost or
                doubled.
        """
        if state["batch"] and state["global_batch"] != global_batch:
            raise InputError(
                f"the checkpoint stopped mid-epoch with a global batch of {state['global_batch']}, not "
                f"{global_batch}; "
                "set data.batch_size times the number of processes to the same product"
            )
        self.start = dict(state)


def augmentation_seed(seed: int, draw: Draw) -> int:
    """Seed of one clip's augmentation: the same on any rank, in any worker, after any restart."""
    return seed_of(seed, draw.epoch, draw.position)


def fixed_sample(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of the items, in their order, always the same ones of the same list.

    They are drawn and not every n-th, because a list may hold its classes in turns.
    """
    chosen = random.Random(0).sample(range(len(items)), min(count, len(items)))
    return [items[position] for position in sorted(chosen)]
