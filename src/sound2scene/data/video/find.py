"""Every video below a folder."""

from __future__ import annotations

import os
from pathlib import Path

from sound2scene.types import InputError

SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v")


def find_videos(folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Every video below a folder under its path there without suffix, sorted.

    Hidden files and folders are skipped. Links are followed; a folder that is linked twice is searched once.

    Raises:
        InputError: If there is no such folder, no video in it, one that cannot be read, or two files have one
            key.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"{root}: not a folder; check the path")
    found: dict[str, Path] = {}
    seen: set[str] = set()
    for parent, folders, names in os.walk(root, onerror=_refuse, followlinks=True):
        if (real := os.path.realpath(parent)) in seen:  # a linked folder may hold itself
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(parent, name) for name in sorted(names)):
            # A download in the making ends in .part.
            if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                continue
            key = path.relative_to(root).with_suffix("").as_posix()
            if key in found:
                raise InputError(f"{path}: has the name of {found[key].name}; rename or remove one of them")
            found[key] = path
    if not found:
        raise InputError(f"{root}: no video ({', '.join(SUFFIXES)}) in it; check the path")
    return dict(sorted(found.items()))


def _refuse(error: OSError) -> None:
    raise InputError(
        f"{error.filename}: cannot be read ({error.strerror}); mend its rights or move it away"
    ) from None
