"""The one way to write a file: it appears under its name whole, or not at all."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PARTIAL = ".partial"
STALE_S = 3600  # no live writer takes so long over one file


@contextmanager
def replacing(path: str | os.PathLike[str], sync: bool = False) -> Iterator[Path]:
    """A place beside `path` to write to; it takes that name when the block ends well, else it is gone.

    Several processes may write the same file at once: the last one to end wins, and readers see no mixture. A
    killed one leaves a hidden file behind, which :func:`sweep` finds.

    Args:
        path: What is to be there in the end; its folder has to exist.
        sync: Be sure that the bytes are on the disk before they get their name, so that even a machine that
            loses its power keeps the old file or has the new one.
    """
    path = Path(path)
    # Apart from the name, so that a long one does not grow beyond what a file system takes.
    partial = path.with_name(f".{uuid.uuid4().hex}{PARTIAL}")
    try:
        yield partial
        if sync:
            _sync(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write(path: str | os.PathLike[str], content: bytes | str, sync: bool = False) -> None:
    """Write bytes, or text as UTF-8, whole or not at all; see :func:`replacing`."""
    with replacing(path, sync) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def sweep(folder: str | os.PathLike[str], older_s: float = STALE_S) -> None:
    """Remove what killed writers left in a folder; younger files may belong to live ones."""
    for leftover in Path(folder).glob(f".*{PARTIAL}"):
        with suppress(FileNotFoundError):
            if time.time() - leftover.stat().st_mtime > older_s:
                leftover.unlink()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
