"""What `dataset.json` says of a dataset, and whether it says it all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypedDict, TypeGuard

FORMAT = 1


class ShardCard(TypedDict):
    """What `dataset.json` says of a shard."""

    name: str
    clips: int
    bytes: int
    sha256: str


class SplitCard(TypedDict):
    """What `dataset.json` says of a split.

    Attributes:
        clips: Clips in the split.
        rejected: Clips that could not be made.
        kinds: Number of these of each kind.
        fingerprint: Changes whenever any byte of the shards changes.
        shards: Shards in the order of the clips.
    """

    clips: int
    rejected: int
    kinds: dict[str, int]
    fingerprint: str
    shards: list[ShardCard]


class DatasetCard(TypedDict):
    """What `dataset.json` says.

    Attributes:
        format: Version of the layout on disk.
        name: Name of the dataset.
        classes: Class names in the order of their indices.
        sample_rate_hz: Sample rate of the sounds.
        clip_s: Seconds of sound in a clip.
        jobs: Fingerprint of what the dataset was to be made of.
        notes: Coverage of the source, the choice of moments ...
        splits: Each split by its name.
    """

    format: int
    name: str
    classes: list[str]
    sample_rate_hz: int
    clip_s: float
    jobs: str
    notes: dict[str, Any]
    splits: dict[str, SplitCard]


def is_whole(card: object) -> TypeGuard[DatasetCard]:
    """Whether a card has what a reader needs, and every name in it is one of a file in its folder."""
    match card:
        case {"classes": [*classes], "splits": {**splits}, **others}:
            names = [name for split, found in splits.items() for name in _names(split, found)]
            return (
                all(isinstance(name, str) for name in classes)
                and all(isinstance(name, str) and re.fullmatch(r"[\w-]+(\.tar)?", name) for name in names)
                and _are_notes(others.get("notes", {}))
            )
    return False


def _names(split: object, card: object) -> Iterator[object]:
    """Every name in the card of a split; None stands for what is damaged."""
    match card:
        case {"clips": int(), "rejected": int(), "fingerprint": fingerprint, "shards": [*shards]}:
            yield from (split, fingerprint, *map(_name, shards))
        case _:
            yield None


def _name(shard: object) -> object:
    match shard:
        case {"name": name, "bytes": int(size)} if size >= 0:
            return name
    return None


def _are_notes(notes: object) -> bool:
    if not isinstance(notes, dict):
        return False
    counted = notes.get("coverage", {})
    return isinstance(counted, dict) and all(
        isinstance(counts, dict) and all(isinstance(count, int) for count in counts.values())
        for counts in counted.values()
    )
