"""The file system of an address, opened anew in every process that reads."""

from __future__ import annotations

import os
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from sound2scene.data.shards.signed import SignedReads


class FileSystem:
    """What fsspec opens at an address. A copy for another process opens it only when it reads.

    Args:
        address: Local path, or anything fsspec opens (``s3://bucket/name``).

    Raises:
        ValueError: If it is of an unknown protocol.
        ImportError: If the package of its protocol is not installed.
    """

    def __init__(self, address: str | Path) -> None:
        self.address = str(address)
        self._inherited: list[object] = []
        self._open()

    def _open(self) -> None:
        self._filesystem, self.root = fsspec.core.url_to_fs(self.address)
        self._signed = SignedReads(self._filesystem)
        self._process: int | None = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return {"address": self.address, "_inherited": [], "_process": None}

    @property
    def opened(self) -> Any:
        """The file system itself, of this process."""
        if self._process != os.getpid():
            # Remote file systems hold event loops, which do not survive a fork. What the parent has opened is
            # kept: to close it here would fail, loudly.
            self._inherited += [vars(self).get("_filesystem"), vars(self).get("_signed")]
            self._open()
        return self._filesystem

    @property
    def is_local(self) -> bool:
        """Whether its files lie on this machine's disks."""
        return isinstance(self.opened, LocalFileSystem)

    def path(self, name: str) -> str:
        """Where a file below the address lies in the file system."""
        _ = self.opened  # a copy knows its root only when it is open
        return f"{self.root}/{name}".rstrip("/")

    def read(self, name: str, start: int | None, end: int | None) -> bytes:
        """Bytes [start, end) of a file below the address, or the whole file; errors are the file system's."""
        filesystem, path = self.opened, self.path(name)
        part = None if start is None or end is None else self._signed.read(path, start, end)
        data: bytes = filesystem.cat_file(path, start=start, end=end) if part is None else part
        return data

    def begin(self, name: str, start: int, end: int) -> Future[bytes] | None:
        """Begin to read a part, where that is cheaper than a thread that reads; see `SignedReads.begin`."""
        path = self.path(name)
        return self._signed.begin(path, start, end)
