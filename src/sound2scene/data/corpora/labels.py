"""A table of what is known of the videos of a folder: classes and splits."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from sound2scene.data.video.find import SUFFIXES
from sound2scene.types import InputError


class Labelled(NamedTuple):
    """What a table says of a video.

    Attributes:
        label: Class of the video, or None.
        split: Split of the video, where the table has splits.
    """

    label: str | None
    split: str | None = None


def read_labels(path: str | Path) -> dict[str, Labelled]:
    """What is known of each video, by its path in the folder without suffix.

    Args:
        path: CSV with the columns key, label and, optionally, split (train, val or test). A key is a video's
            path in the folder, with or without suffix.

    Raises:
        InputError: If the file cannot be read, lacks a column or a key, or a key stands twice, in one split
            or in two.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error}); check the path") from None
    if not rows or {"key", "label"} - rows[0].keys():
        raise InputError(f"{path}: needs the columns key and label, and may have split; add a header line")
    for number, row in enumerate(rows, 1):
        if not row["key"]:
            raise InputError(f"{path}: video {number} has no key; give its path in the folder")
        if row.get("split", "train") not in ("train", "val", "test"):
            raise InputError(f"{path}: {row['key']}: split must be train, val or test, not {row['split']!r}")
    keys = [_without_suffix(row["key"]) for row in rows]
    if doubles := sorted(key for key, count in Counter(keys).items() if count > 1):
        raise InputError(
            f"{path}: {len(doubles)} keys stand twice, in one split or in two: {', '.join(doubles[:10])}; "
            "keep one line of each"
        )
    return {
        key: Labelled(row["label"] or None, row.get("split")) for key, row in zip(keys, rows, strict=True)
    }


def labels_of(source: str | Path | None) -> Mapping[str, Labelled] | Literal["folders"] | None:
    """What a recipe's setting says of labels.

    Args:
        source: CSV for :func:`read_labels`, `folders` where the videos lie in one folder per class, or None.
    """
    return "folders" if source == "folders" else None if source is None else read_labels(source)


def _without_suffix(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in SUFFIXES else name
