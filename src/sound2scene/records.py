"""The one reader of our own records: JSON documents and JSON lines become typed values, or one line.

Whatever a file holds (nothing, another kind, a wrong type, nesting without end, a number of thousands of
digits, NaN), and whatever stands in its place (a folder, a pipe), ends in an InputError that names file, line
and key.
"""

from __future__ import annotations

import json
import math
import os
import stat
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from sound2scene.types import InputError

LARGEST_BYTES = 1 << 30
DEPTH = 64  # no record of ours is nested deeper than a recipe
T = TypeVar("T")

# What NumPy raises depends on where a file is damaged.
DAMAGES_OF_ARRAYS = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    zipfile.BadZipFile,
    tokenize.TokenError,
    zlib.error,
)


Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**62)]
FileName: TypeAlias = Annotated[str, Meta(pattern=r"\A[\w-]+(\.tar)?\Z")]


@dataclass(frozen=True)
class Record(Generic[T]):
    """A kind of record.

    Attributes:
        kind: Type of its value; keys of a TypedDict or dataclass that it does not name are left out.
        remedy: What the reader of an error may do, behind a semicolon.
        version: Number that a document of this kind has under `format`; None where it has none.
        unique: Whether a key that stands twice is an error; else the last one counts.
    """

    kind: type[T]
    remedy: str
    version: int | None = None
    unique: bool = False

    def read(self, path: str | os.PathLike[str]) -> T:
        """The document of a file.

        Raises:
            InputError: If it cannot be read, or is none of this kind.
        """
        return self.parse(content(path, self.remedy), os.fspath(path))

    def read_in(self, path: Path, name: str) -> T:
        """The document of a file, or of the file of this name in a folder.

        Raises:
            InputError: If it cannot be read, or is none of this kind.
        """
        return self.read(path / name if path.is_dir() else path)

    def parse(self, text: bytes | str, name: str) -> T:
        """The document of a text.

        Args:
            text: JSON.
            name: Name of the document in an error message.

        Raises:
            InputError: If it is none of this kind.
        """
        value = self._plain(text, name)
        if self.version is not None:
            found = value.get("format") if isinstance(value, dict) else None
            if found != self.version:
                stated = repr(found)[:40]
                raise InputError(f"{name}: format {stated}, this version reads {self.version}; {self.remedy}")
        return self.convert(value, name)

    def convert(self, value: object, name: str) -> T:
        """Plain values as this kind.

        Raises:
            InputError: If they are of another one.
        """
        try:
            return msgspec.convert(value, self.kind)
        except UnicodeEncodeError:
            raise InputError(
                f"{name}: a key or a word is no text (half a character); {self.remedy}"
            ) from None
        except (msgspec.ValidationError, RecursionError) as error:
            raise InputError(f"{name}: {' '.join(str(error).split())}; {self.remedy}") from None

    def read_lines(self, path: str | os.PathLike[str]) -> Iterator[T]:
        """The documents of a file that has one on each line; errors as for :meth:`read`, with the line."""
        return self.parse_lines(content(path, self.remedy), os.fspath(path))

    def parse_lines(self, text: bytes, name: str, first: int = 1) -> Iterator[T]:
        """The documents of a text that has one on each line; errors as for :meth:`parse`, with the line.

        Args:
            text: JSON, line by line.
            name: Name of the text in an error message.
            first: Number of its first line.
        """
        for number, line in enumerate(text.removesuffix(b"\n").split(b"\n") if text else (), first):
            yield self.parse(line, f"{name}:{number}")

    def _plain(self, text: bytes | str, name: str) -> object:
        if len(text) > LARGEST_BYTES:
            raise InputError(f"{name}: larger than {LARGEST_BYTES} bytes; {self.remedy}")
        try:
            # msgspec's own decoder refuses names of files that are no UTF-8, which JSON can escape.
            value: object = json.loads(
                text if isinstance(text, str) else text.decode(),
                object_pairs_hook=_unique if self.unique else None,
                parse_constant=_refuse_constant,
                parse_float=_finite,
                parse_int=_whole,
            )
        except (ValueError, RecursionError) as error:
            raise InputError(f"{name}: not valid JSON ({_reason(error)}); {self.remedy}") from None
        if _is_deep(value):
            raise InputError(f"{name}: nested deeper than {DEPTH} levels; {self.remedy}")
        return value


def content(path: str | os.PathLike[str], remedy: str, largest_bytes: int = LARGEST_BYTES) -> bytes:
    """Bytes of a file.

    Args:
        path: The file; a folder, a pipe or a device is none.
        remedy: What the reader of an error may do.
        largest_bytes: Most bytes that it may have.

    Raises:
        InputError: If it is not there, no file, too large, or cannot be read.
    """
    try:
        about = os.stat(path)
        if stat.S_ISDIR(about.st_mode):
            raise InputError(f"{path}: a folder, not a file; {remedy}")
        if not stat.S_ISREG(about.st_mode):
            raise InputError(f"{path}: not a plain file; {remedy}")
        if about.st_size > largest_bytes:
            raise InputError(f"{path}: {about.st_size} bytes, more than {largest_bytes}; {remedy}")
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: missing; {remedy}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); {remedy}") from None
    except InputError:
        raise
    except ValueError:  # a name with a NUL
        raise InputError(f"{os.fspath(path)!r}: no name of a file; {remedy}") from None


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(DEPTH):
        level = [
            child
            for one in level
            if isinstance(one, (dict, list))
            for child in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True


def _whole(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**64:
        raise ValueError(f"a whole number of {len(digits)} digits")
    return int(digits)


def _finite(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        raise ValueError(f"{digits[:20]} is out of range")
    return value


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        doubles = [repr(key) for key, count in Counter(key for key, _ in pairs).items() if count > 1]
        raise ValueError(f"{', '.join(doubles[:3])} more than once")
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"no UTF-8 at byte {error.start}"
    return "nested too deep" if isinstance(error, RecursionError) else " ".join(str(error).split())[:200]
