"""Which errors of the operating system are a user's to mend, and the line that tells them.

The rule: a full, read-only or failing disk, and too many open files, are never a fault of the program,
whatever file they befall. An error about a path is the user's where the command line, a recipe on it, or a
default names that path: the path itself, a folder above it (which has to be made or entered), or, if
something that is there stands in the way (no permission, a file in place of a folder), anything below it.
Everything else keeps its traceback: above all a file that is missing inside a folder that we write, which
only we can have forgotten.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

DEFAULTS = ("runs", "data")  # where recipes write if they do not say
MACHINE = {
    errno.ENOSPC: "the disk is full; free some space, or write to another disk",
    errno.EDQUOT: "your quota of the disk is used up; free some space, or write to another disk",
    errno.EFBIG: "the file grows beyond what is allowed; raise the limit (ulimit -f), or write elsewhere",
    errno.EROFS: "the disk can only be read; write elsewhere",
    errno.EIO: "the disk failed; look at it, and write elsewhere",
    errno.EMFILE: "too many open files; raise the limit (ulimit -n), or take fewer workers",
    errno.ENFILE: "too many open files on this machine; close some programs",
}
IN_THE_WAY = {
    errno.EACCES: "no permission; change it, or choose another path",
    errno.EPERM: "not permitted; change that, or choose another path",
    errno.EISDIR: "a folder, where a file is meant; give the path of a file",
    errno.ENOTDIR: "a file is in the way, where a folder is meant; remove it, or choose another path",
    errno.EEXIST: "already there; remove it, or choose another path",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ELOOP: "a link that leads back to itself; mend it, or choose another path",
}
MISSING = {errno.ENOENT: "no such file or folder; check the path"}


def told(error: OSError, named: Iterable[str]) -> str | None:
    """One line that names path and remedy; None if it may be a fault of the program.

    Args:
        error: What was raised.
        named: Paths that the user or a default named.
    """
    path = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes, os.PathLike)) else ""
    if error.errno in MACHINE:
        return f"{path or 'while writing'}: {MACHINE[error.errno]}"
    if not path or error.errno not in IN_THE_WAY | MISSING:
        return None
    below = error.errno in IN_THE_WAY
    if not any(_is_meant(path, name, below) for name in named):
        return None
    return f"{path}: {(IN_THE_WAY | MISSING)[error.errno]}"


def named_paths(arguments: Sequence[str]) -> Iterator[str]:
    """Every word of a command line that may be a path, every text in its recipes, and the defaults."""
    yield from DEFAULTS
    for argument in arguments:
        yield argument
        word = argument.partition("=")[2] if argument.startswith("-") else argument
        yield word
        if word.endswith((".yaml", ".yml")):
            yield from _texts_of(word)


def unwritable(path: str | os.PathLike[str]) -> str | None:
    """Why a place cannot be written to, to be asked before any work; None if nothing speaks against it.

    Args:
        path: File or folder, there or not; whatever folders it lacks have to be made.
    """
    there = Path(path).absolute()
    try:
        while not there.exists():
            there = there.parent
    except OSError as error:  # names that are too long, folders that may not be entered
        return error.strerror or str(error)
    if there != Path(path).absolute() and not there.is_dir():
        return f"{there} is no folder"
    if not os.access(there, os.W_OK | (os.X_OK if there.is_dir() else 0)):
        return f"no permission in {there}"
    return None


def _is_meant(path: str, name: str, below: bool) -> bool:
    if not name or "\0" in name:
        return False
    found, given = Path(os.path.abspath(path)), Path(os.path.abspath(name))
    return given.is_relative_to(found) or (below and found.is_relative_to(given))


def _texts_of(recipe: str) -> Iterator[str]:
    import yaml

    try:
        waiting = [yaml.safe_load(Path(recipe).read_bytes())]
    except (OSError, ValueError, yaml.YAMLError, RecursionError):  # the parser of recipes says what is wrong
        return
    while waiting:
        found = waiting.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict):
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found
