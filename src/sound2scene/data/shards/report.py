"""What became of a source: clips written, rejected and missing, counted by kind and listed."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from sound2scene.records import Record
from sound2scene.types import Rejected

REPORT = "report.json"
MISSING = "missing.txt.gz"


def count_kinds(rejected: Iterable[Rejected]) -> dict[str, int]:
    """Number of rejected clips of each kind, in the order of the kinds' names."""
    return dict(sorted(Counter(clip.kind for clip in rejected).items()))


def covered(card: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """How much of its source a dataset covers.

    Args:
        card: What `dataset.json` says.

    Returns:
        For each split of the source, the clips `expected`, those `found` among the files, and the `clips`
        that could be prepared; nothing where the source was not counted. Where the count knows no `val`, as
        in datasets of before, what was held out for validation counts in `train`.
    """
    counted: Mapping[str, Mapping[str, int]] = card.get("notes", {}).get("coverage", {})
    clips = {split: int(found["clips"]) for split, found in card["splits"].items()}
    if "val" not in counted:
        clips["train"] = clips.get("train", 0) + clips.get("val", 0)
    return {split: {**counts, "clips": clips.get(split, 0)} for split, counts in counted.items()}


def coverage_line(found: Mapping[str, Mapping[str, int]]) -> str:
    """What :func:`covered` found, in one line: prepared of expected clips per split."""
    return "coverage: " + ", ".join(
        f"{split} {counts['clips']} of {counts['expected']}" for split, counts in found.items()
    )


def report_files(
    card: Mapping[str, Any],
    rejected: Mapping[str, Sequence[Rejected]],
    missing: Mapping[str, Sequence[str]],
    strays: Mapping[str, Sequence[str]],
) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the report's files; the same clips give the same bytes.

    Args:
        card: What `dataset.json` says; the report sums its splits up.
        rejected: Clips of each split that could not be prepared; `rejected.jsonl` has their reasons.
        missing: Keys that each split of the source should hold and does not; as they may be many, they get a
            file of their own.
        strays: Files that are no clips of the source, by kind.
    """
    if any(missing.values()):
        lines = "".join(f"{split}\t{key}\n" for split, keys in missing.items() for key in keys)
        yield MISSING, gzip.compress(lines.encode("utf-8", "backslashreplace"), mtime=0)
    report = {
        "name": card["name"],
        "coverage": covered(card),
        "missing": {split: len(keys) for split, keys in missing.items()},
        "strays": {
            kind: {"count": len(names), "files": list(names)} for kind, names in strays.items() if names
        },
        "splits": {
            split: {"clips": counts["clips"], "rejected": _by_kind(rejected[split])}
            for split, counts in card["splits"].items()
        },
    }
    yield REPORT, json.dumps(report, indent=1).encode()


class RejectedLine(TypedDict):
    """A line of `rejected.jsonl`."""

    key: str
    reason: str
    kind: NotRequired[str]


REJECTED = Record(RejectedLine, "prepare the dataset again")


class Strays(TypedDict):
    """Files of the source that are no clips of it."""

    count: int
    files: list[str]


class Report(TypedDict):
    """What `report.json` says, as far as it is told after a dataset was made.

    Attributes:
        coverage: See :func:`covered`.
        strays: Files of the source that are no clips of it, by kind.
    """

    coverage: dict[str, dict[str, int]]
    strays: dict[str, Strays]


def read_report(folder: str | Path) -> Report:
    """The report of a dataset.

    Raises:
        InputError: If it is missing or damaged.
    """
    return Record(Report, "prepare the dataset again").read(Path(folder) / REPORT)


def _by_kind(rejected: Sequence[Rejected]) -> dict[str, Any]:
    keys: dict[str, list[str]] = defaultdict(list)
    for clip in rejected:
        keys[clip.kind].append(clip.key)
    return {kind: {"count": len(found), "keys": found} for kind, found in sorted(keys.items())}
