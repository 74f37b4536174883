"""A table of what is known of the videos of a folder: classes and splits."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from sound2scene.data.corpora.tables import read_rows, split_of
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
            path, in the folder or absolute, with or without suffix.

    Raises:
        InputError: If the file cannot be read, lacks a column or a key, or a key stands twice, in one split
            or in two.
    """
    found: dict[str, Labelled] = {}
    doubles: list[str] = []
    rows = read_rows(path, ("key", "label"), ("split",))
    has_splits = any(row.cells["split"] for row in rows)
    for row in rows:
        if not row.cells["key"]:
            raise InputError(f"{row.where}: has no key; give the video's path in the folder")
        key = _plain(row.cells["key"], row.where)
        split = split_of(row.cells["split"], row.where) if has_splits else None
        doubles += [key] if key in found else []
        found[key] = Labelled(row.cells["label"] or None, split)
    if doubles:
        raise InputError(
            f"{path}: {len(doubles)} keys stand twice, in one split or in two: {', '.join(doubles[:10])}; "
            "keep one line of each"
        )
    return found


def labels_of(source: str | Path | None) -> Mapping[str, Labelled] | Literal["folders"] | None:
    """What a recipe's setting says of labels.

    Args:
        source: CSV for :func:`read_labels`, `folders` where the videos lie in one folder per class, or None.
    """
    return "folders" if source == "folders" else None if source is None else read_labels(source)


def matched(table: Mapping[str, Labelled], folder: str | Path, names: Collection[str]) -> dict[str, Labelled]:
    """A table by the names of a folder's videos; how many do not fit is said on standard error.

    Args:
        table: Table from :func:`read_labels`.
        folder: The folder.
        names: Paths of its videos without suffix.

    Raises:
        InputError: If an absolute key is not in the folder, two keys name one video, or no key names any.
    """
    roots = [PurePosixPath(place.as_posix()) for place in (Path(folder).absolute(), Path(folder).resolve())]
    found: dict[str, Labelled] = {}
    for key, entry in table.items():
        name = _inside(key, roots, folder) if PurePosixPath(key).is_absolute() else key
        if name not in names and (turned := name.replace("\\", "/")) in names:
            name = turned
        if name in found:
            raise InputError(f"{folder}: the table names {name} twice, as {key} and otherwise; keep one line")
        found[name] = entry
    there = [name for name in found if name in names]
    if table and not there:
        raise InputError(
            f"{folder}: none of the table's {len(table)} keys ({next(iter(table))} ...) names one of its "
            f"{len(names)} videos ({next(iter(names))} ...); give their paths in the folder"
        )
    if strange := len(found) - len(there):
        print(f"{folder}: {strange} of the table's {len(found)} keys name no video", file=sys.stderr)
    if unnamed := len(names) - len(there):
        print(f"{folder}: {unnamed} of {len(names)} videos are not in the table", file=sys.stderr)
    return found


def _inside(key: str, roots: list[PurePosixPath], folder: str | Path) -> str:
    for root in roots:
        if PurePosixPath(key).is_relative_to(root):
            return PurePosixPath(key).relative_to(root).as_posix()
    raise InputError(f"{key}: a key that does not lie in {folder}; give the video's path in the folder")


def _plain(key: str, where: str) -> str:
    """A key without suffix, `./` and doubled slashes."""
    stem, dot, suffix = key.rpartition(".")
    name = PurePosixPath(stem if dot and f".{suffix.lower()}" in SUFFIXES else key)
    if ".." in re.split(r"[/\\]", name.as_posix()):
        raise InputError(f"{where}: key {key!r} leaves the folder; give the video's path in the folder")
    return name.as_posix()
