"""What a folder of pictures, sounds or videos holds, without what systems and programs leave in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sound2scene.types import InputError

SOUNDS = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".au", ".wma")
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
# Left by Windows, Synology and archives of macOS; what else is left is hidden (`._1.jpg`, `.DS_Store`).
_LEFTOVERS = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "lost+found"}


def is_leftover(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or no work of the user."""
    return name.startswith(".") or name.lower() in _LEFTOVERS


def listed(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """Files and folders of a folder, sorted by name.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (entry for entry in entries if not is_leftover(entry.name)), key=lambda entry: entry.name
            )
    except OSError as error:
        _refuse(error)
        raise


def walked(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Every file below a folder.

    Links are followed; a folder that is linked twice is searched once.

    Raises:
        InputError: If there is no such folder, or one in it cannot be read.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"{root}: not a folder; check the path")
    seen: set[str] = set()
    for parent, folders, names in os.walk(root, onerror=_refuse, followlinks=True):
        if (real := os.path.realpath(parent)) in seen:  # a linked folder may hold itself
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not is_leftover(name))
        yield from (Path(parent, name) for name in sorted(names) if not is_leftover(name))


def _refuse(error: OSError) -> None:
    raise InputError(
        f"{error.filename}: cannot be read ({error.strerror}); mend its rights or move it away"
    ) from None
