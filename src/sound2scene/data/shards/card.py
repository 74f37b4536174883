"""What `dataset.json` says of a dataset, and whether it says it all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from sound2scene.records import Count, FileName, Record
from sound2scene.types import InputError

FORMAT = 1
REMEDY = "prepare the dataset again, or see `sound2scene verify`"


class ShardCard(TypedDict):
    """What `dataset.json` says of a shard."""

    name: FileName
    clips: Count
    bytes: Count
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

    clips: Count
    rejected: Count
    kinds: NotRequired[dict[str, Count]]
    fingerprint: FileName
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
    name: NotRequired[str]
    classes: list[str]
    sample_rate_hz: NotRequired[int]
    clip_s: NotRequired[float]
    jobs: NotRequired[str]
    notes: NotRequired[dict[str, Any]]
    splits: dict[FileName, SplitCard]


def fingerprint_of(shards: Iterable[str]) -> str:
    """Fingerprint of a split from the checksums of its shards, in their order."""
    return hashlib.sha256("".join(shards).encode()).hexdigest()


CARD = Record(DatasetCard, REMEDY, FORMAT)
_COVERAGE = Record(dict[str, dict[str, Count]], REMEDY)


def read_card(data: bytes, name: str) -> DatasetCard:
    """What a `dataset.json` says.

    Args:
        data: The file.
        name: What an error calls it.

    Raises:
        InputError: If it is none of this format, lacks what a reader needs, or names files elsewhere.
    """
    card = CARD.parse(data, name)
    _COVERAGE.convert(card.get("notes", {}).get("coverage", {}), f"{name}: coverage")
    for split, found in card["splits"].items():
        if len({shard["name"] for shard in found["shards"]}) < len(found["shards"]):
            raise InputError(f"{name}: split {split} names a shard twice; {REMEDY}")
    return card


def differences(
    card: DatasetCard,
    name: str,
    classes: Sequence[str] | None,
    notes: Mapping[str, Any],
    jobs: Mapping[str, int],
) -> list[str]:
    """In what a dataset that is there differs from one that is to be made, in words, five at most.

    Args:
        card: What `dataset.json` says of the one that is there.
        name: Name of the other.
        classes: Its class names; None where they are those that occur.
        notes: Its notes.
        jobs: Clips that each of its splits is to be made of.
    """
    there: dict[str, Any] = {"name": card.get("name"), **_flat(card.get("notes", {}))}
    here: dict[str, Any] = {"name": name, **_flat(json.loads(json.dumps(dict(notes), default=str)))}
    if classes is not None:
        there["classes"], here["classes"] = ", ".join(card["classes"]), ", ".join(classes)
    for split in sorted(card["splits"].keys() | jobs.keys()):
        one = card["splits"].get(split)
        there[f"clips of {split}"] = None if one is None else one["clips"] + one["rejected"]
        here[f"clips of {split}"] = jobs.get(split)
    found = [
        f"{key}: {_shown(there.get(key))}, now {_shown(here.get(key))}"
        for key in there | here
        if there.get(key) != here.get(key) and not key.startswith("coverage.")
    ]
    return [*found[:5], *([f"{len(found) - 5} more"] if len(found) > 5 else [])]


def _shown(value: object) -> str:
    return "none" if value is None else str(value)[:60]


def _flat(notes: Mapping[str, Any], start: str = "") -> dict[str, Any]:
    """Notes in notes as `outer.inner`."""
    found: dict[str, Any] = {}
    for key, value in notes.items():
        found |= _flat(value, f"{start}{key}.") if isinstance(value, dict) else {f"{start}{key}": value}
    return found
