"""What is to be made of a corpus: jobs in splits, and what is missing or left over."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias

from sound2scene.data.shards.shard import JobT
from sound2scene.ranges import SHARE, check
from sound2scene.types import InputError

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


def check_shares(val_share: float, test_share: float = 0.0, where: str = "prepare") -> None:
    """Refuse shares that leave nothing to train on, or are none.

    Args:
        val_share: Share of the clips held out for validation.
        test_share: Share held out for the test.
        where: Where they were set, for the message.

    Raises:
        InputError: If one is not in [0, 1), or both together are 1 or more.
    """
    check(where, SHARE, val_share=val_share, test_share=test_share)
    check(where, SHARE, val_share_and_test_share=val_share + test_share)


def refuse_clashes(sources: Iterable[tuple[str, str]]) -> None:
    """Refuse two sources that would become clips of one key.

    Args:
        sources: Key and file of each clip.

    Raises:
        InputError: If there are two; it names both files.
    """
    seen: dict[str, str] = {}
    for key, source in sources:
        if key in seen:
            raise InputError(f"{seen[key]} and {source}: both become the clip {key}; rename one of them")
        seen[key] = source


def held_out(names: Iterable[str], share: float) -> set[str]:
    """A fixed choice of names, by their hash: a name's chances are the same whatever else is there.

    Args:
        names: Names to choose from; doubles count once.
        share: Share of the names to choose, rounded; above 0 it chooses at least one of two or more.
    """
    assert 0 <= share <= 1, "see `check_shares`"
    ordered = sorted(
        set(names), key=lambda name: hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    )
    count = round(share * len(ordered))
    return set(ordered[: max(count, 1) if share > 0 and len(ordered) > 1 else count])


def shared_out(jobs: Sequence[JobT], val_share: float, test_share: float) -> Jobs[JobT]:
    """Jobs in splits by a hash of their keys; there is no test without a share for it.

    Raises:
        InputError: If the shares are none, see :func:`check_shares`.
    """
    check_shares(val_share, test_share)
    keys = [drawn_as(job["key"]) for job in jobs]
    test = held_out(keys, test_share)
    val = held_out(set(keys) - test, val_share)
    splits: Jobs[JobT] = {split: [] for split in (["train", "val", "test"] if test else ["train", "val"])}
    for job, key in zip(jobs, keys, strict=True):
        splits["test" if key in test else "val" if key in val else "train"].append(job)
    return splits


def drawn_as(key: str) -> str:
    """Name under which a key is drawn: blanks were once `_` in keys, and no clip changes its split."""
    return re.sub("=[0-9A-F]{2}", "_", key)
