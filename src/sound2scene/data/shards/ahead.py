"""Parts of files, asked for before they are needed and several at once, so that distance costs little."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol

from sound2scene.data.shards.signed import AT_ONCE

_GAP = 1 << 16  # bytes that are rather read in vain than by a request of their own
_LARGEST = 1 << 22  # bytes of a request; several parts on their way are faster than one


class Part(NamedTuple):
    """Bytes [start, end) of a file."""

    name: str
    start: int
    end: int


class Source(Protocol):
    """A folder whose files are read in parts."""

    def read(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        """Bytes [start, end) of a file."""
        ...

    def begin(self, name: str, start: int, end: int) -> Future[bytes] | None:
        """Begin to read a part, which may fail or come short; None where a thread has to."""
        ...


class ReadAhead:
    """Parts of a folder's files, of which a reader may say early which ones it will need.

    What is read, and every error, is as without it; parts that lie close together come by one request.
    Nothing that was expected is kept beyond the next expectation. A copy for another process expects nothing.

    Args:
        source: The folder.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._pool: ThreadPoolExecutor | None = None
        self._process: int | None = None
        self._expected: dict[Part, tuple[Part, Future[bytes]]] = {}

    def __reduce__(self) -> tuple[type[ReadAhead], tuple[Source]]:
        return ReadAhead, (self._source,)

    def expect(self, parts: Iterable[Part]) -> None:
        """Begin to read parts, in their order; what was expected before and never read is given up."""
        for _, future in self._expected.values():
            future.cancel()
        self._expected = {}
        pool = self._opened()
        for joined in join(list(parts)):
            whole = Part(joined[0].name, joined[0].start, max(part.end for part in joined))
            future = self._source.begin(*whole) or pool.submit(self._source.read, *whole)
            self._expected |= {part: (whole, future) for part in joined}

    def read(self, part: Part) -> bytes:
        """Bytes of a part, expected or not.

        Raises:
            FileNotFoundError: As the folder does.
            UnreadableError: As the folder does.
        """
        if part not in self._expected or self._process != os.getpid():
            return self._source.read(*part)
        whole, future = self._expected.pop(part)
        try:
            data = future.result()
        except Exception:  # asked again, it says what is wrong as it would have without
            data = b""
        if len(data) != whole.end - whole.start:
            return self._source.read(*part)
        return data[part.start - whole.start : part.end - whole.start]

    def _opened(self) -> ThreadPoolExecutor:
        if self._pool is None or self._process != os.getpid():  # threads do not survive a fork
            self._pool, self._process = ThreadPoolExecutor(AT_ONCE), os.getpid()
        return self._pool


def join(parts: Sequence[Part]) -> list[list[Part]]:
    """Parts that one request reads, each group in the order of its bytes.

    Groups stand in the order in which the first of each was asked for. Parts are joined where little lies
    between them, and only up to a few megabytes.
    """
    turn = {part: number for number, part in reversed(list(enumerate(parts)))}
    groups: list[list[Part]] = []
    end = 0
    for part in sorted(turn):
        last = groups[-1] if groups else [Part("", 0, 0)]
        near = part.name == last[0].name and part.start <= end + _GAP
        if near and max(part.end, end) - last[0].start <= _LARGEST:
            last.append(part)
            end = max(end, part.end)
        else:
            groups.append([part])
            end = part.end
    return sorted(groups, key=lambda group: min(turn[part] for part in group))
