"""What is to be made of a corpus: jobs in splits, and what is missing or left over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias

from sound2scene.data.shards.shard import JobT

Jobs: TypeAlias = dict[str, list[JobT]]  # of each split


class Corpus(NamedTuple, Generic[JobT]):
    """What is to be made of a corpus, and what of it cannot be.

    Attributes:
        jobs: Jobs of each split.
        notes: What `dataset.json` shall say: `coverage` (clips found and expected in each split of the
            corpus), and others.
        missing: Keys that each split should hold and does not.
        strays: Files that are no clips of the corpus, by kind.
    """

    jobs: Jobs[JobT]
    notes: dict[str, Any]
    missing: dict[str, list[str]]
    strays: dict[str, list[str]]


def held_out(names: Iterable[str], share: float) -> set[str]:
    """A fixed choice of names, by their hash: a name's chances are the same whatever else is there.

    Args:
        names: Names to choose from; doubles count once.
        share: Share of the names to choose, rounded; above 0 it chooses at least one of two or more.
    """
    ordered = sorted(set(names), key=lambda name: hashlib.sha256(name.encode()).digest())
    count = round(share * len(ordered))
    return set(ordered[: max(count, 1) if share > 0 and len(ordered) > 1 else count])


def shared_out(jobs: Sequence[JobT], val_share: float, test_share: float) -> Jobs[JobT]:
    """Jobs in splits by a hash of their keys; there is no test without a share for it."""
    keys = [job["key"] for job in jobs]
    test = held_out(keys, test_share)
    val = held_out(set(keys) - test, val_share)
    splits: Jobs[JobT] = {split: [] for split in (["train", "val", "test"] if test else ["train", "val"])}
    for job in jobs:
        splits["test" if job["key"] in test else "val" if job["key"] in val else "train"].append(job)
    return splits
