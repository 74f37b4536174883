"""Every video below a folder."""

from __future__ import annotations

import os
from pathlib import Path

from sound2scene.folders import walked
from sound2scene.types import InputError

SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v")


def find_videos(folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Every video below a folder under its path there without suffix, sorted.

    Hidden files and folders, and what systems leave behind, are skipped. Links are followed; a folder that is
    linked twice is searched once.

    Raises:
        InputError: If there is no such folder, no video in it, one that cannot be read, or two files have one
            key.
    """
    root = Path(folder)
    found: dict[str, Path] = {}
    for path in walked(root):
        # A download in the making ends in .part.
        if path.suffix.lower() in SUFFIXES:
            key = path.relative_to(root).with_suffix("").as_posix()
            if key in found:
                raise InputError(f"{path}: has the name of {found[key].name}; rename or remove one of them")
            found[key] = path
    if not found:
        raise InputError(f"{root}: no video ({', '.join(SUFFIXES)}) in it; check the path")
    return dict(sorted(found.items()))
