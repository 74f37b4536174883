"""Opening a user's file for reading: a named pipe or a device is refused at once, and never waited for."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

_KINDS = (
    (stat.S_ISFIFO, "is a named pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """A file, open for reading bytes.

    Raises:
        OSError: It cannot be opened, or is no regular file; `strerror` says which, in words for a user.
    """
    # Asked before and after: opening a device may do something, and a name may come to mean another thing.
    try:
        _refuse(os.stat(path).st_mode, path)
    except ValueError as error:  # Python's own word for it
        raise OSError(errno.EINVAL, "its name holds a NUL character", os.fspath(path)) from error
    descriptor = os.open(
        path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0), mode=0
    )
    try:
        _refuse(os.fstat(descriptor).st_mode, path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a whole file; errors as for :func:`open_regular`."""
    with open_regular(path) as file:
        return file.read()


def _refuse(mode: int, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    for is_kind, words in _KINDS:
        if is_kind(mode):
            raise OSError(errno.EINVAL, f"{words} and no regular file", os.fspath(path))
