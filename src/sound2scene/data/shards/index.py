"""Where each clip lies in the shards: random access to plain tars, and the scan that makes it."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TypedDict

import numpy as np
from numpy.typing import NDArray

from sound2scene.data.shards.card import REMEDY
from sound2scene.records import DAMAGES_OF_ARRAYS, Record
from sound2scene.types import About, InputError

MEMBERS = ("jpg", "flac", "json")


class Location(TypedDict):
    """Where a clip lies in a shard.

    Attributes:
        key: Name of the clip.
        label: Class of the clip, or None.
        offset: First byte of each member (jpg, flac, json) in the tar.
        size: Bytes of each member.
    """

    key: str
    label: str | None
    offset: list[int]
    size: list[int]


@dataclass(frozen=True)
class Index:
    """Where the members of N clips lie.

    These are arrays alone, so that workers share their memory however many clips there are.

    Attributes:
        shard_N: Number of the clip's shard in the split's list.
        offset_NM: First byte of each member (jpg, flac, json) in its tar.
        size_NM: Bytes of each member.
        label_N: Class index, -1 for none.
        key_N: Names of the clips, as ASCII bytes.
    """

    shard_N: NDArray[np.int32]
    offset_NM: NDArray[np.int64]
    size_NM: NDArray[np.int64]
    label_N: NDArray[np.int32]
    key_N: NDArray[np.bytes_]

    @classmethod
    def from_shards(cls, shards: Sequence[Sequence[Location]], classes: Sequence[str]) -> Index:
        """Index of what :func:`scan_shard` finds.

        Args:
            shards: Locations of the clips in each shard of the split.
            classes: Class names in the order of their indices.
        """
        number: dict[str | None, int] = {name: position for position, name in enumerate(classes)}
        found = [(shard, location) for shard, locations in enumerate(shards) for location in locations]
        return cls(
            np.array([shard for shard, _ in found], np.int32),
            np.array([location["offset"] for _, location in found], np.int64).reshape(-1, len(MEMBERS)),
            np.array([location["size"] for _, location in found], np.int64).reshape(-1, len(MEMBERS)),
            np.array([number.get(location["label"], -1) for _, location in found], np.int32),
            np.array([location["key"].encode() for _, location in found], np.bytes_),
        )

    def save(self, file: IO[bytes]) -> None:
        """Write as an uncompressed ``.npz``."""
        np.savez(
            file,
            shard=self.shard_N,
            offset=self.offset_NM,
            size=self.size_NM,
            label=self.label_N,
            key=self.key_N,
        )

    @classmethod
    def load(cls, file: IO[bytes], name: str) -> Index:
        """Read what :meth:`save` wrote (never a pickle).

        Args:
            file: The ``.npz``.
            name: What an error calls it.

        Raises:
            InputError: If it is none, or its arrays are not of the kinds and shapes that :meth:`save` writes.
        """
        try:
            with zipfile.ZipFile(file) as archive:
                if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                    raise ValueError("compressed, which no index is")
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                index = cls(*(arrays[column] for column in ("shard", "offset", "size", "label", "key")))
            kinds = [array.dtype.kind for array in vars(index).values()]
            shapes = [array.shape[1:] for array in vars(index).values()]
            one = len({len(array) for array in vars(index).values()}) == 1
            if kinds != ["i", "i", "i", "i", "S"] or shapes != [(), (3,), (3,), (), ()] or not one:
                raise ValueError(f"arrays of kinds {kinds}")
            if not (np.frombuffer(index.key_N.tobytes(), np.uint8) < 128).all():
                raise ValueError("a key that is no ASCII")
            if len(set(index.key_N.tolist())) != len(index.key_N):  # sorting takes four times as long
                raise ValueError("a key that stands twice")
        except DAMAGES_OF_ARRAYS as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{name}: damaged index ({reason}); {REMEDY}") from None
        return index

    def check(self, bytes_S: NDArray[np.int64], classes: int, name: str) -> None:
        """Refuse an index that points outside what is there.

        Args:
            bytes_S: Size of each shard.
            classes: Number of classes.
            name: What an error calls the index.

        Raises:
            InputError: If it does.
        """
        inside = ((self.shard_N >= 0) & (self.shard_N < len(bytes_S))).all() and (
            (self.offset_NM >= 0)
            & (self.size_NM >= 0)
            # No sum, which could overflow.
            & (self.offset_NM <= bytes_S[self.shard_N, None] - np.maximum(self.size_NM, 0))
        ).all()
        if not inside or not ((self.label_N >= -1) & (self.label_N < classes)).all():
            raise InputError(f"{name}: points outside the shards or classes; {REMEDY}")


ABOUT = Record(About, REMEDY)


def scan_shard(file: IO[bytes], name: str) -> Iterator[Location]:
    """Clips of a shard in their order.

    Args:
        file: The tar.
        name: What an error calls it.

    Raises:
        InputError: If the tar is cut, or a clip lacks a member or has one twice.
    """
    members: dict[str, dict[str, tarfile.TarInfo]] = {}
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            found = tar.getmembers()
            labels = {
                _split(member)[0]: _label(tar, member, name)
                for member in found
                if _split(member)[1] == "json"
            }
    except InputError:
        raise
    except (
        tarfile.TarError,
        OSError,
        EOFError,
        ValueError,
        LookupError,
        TypeError,
        ArithmeticError,
    ) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{name}: damaged shard ({reason}); {REMEDY}") from None
    for member in found:
        key, kind = _split(member)
        if kind in members.setdefault(key, {}):
            raise InputError(f"{name}: clip {key} stands twice; give each clip a name of its own")
        members[key][kind] = member
    for key, parts in members.items():
        if set(parts) != set(MEMBERS):
            raise InputError(
                f"{name}: clip {key} has members {sorted(parts)} instead of {sorted(MEMBERS)}; {REMEDY}"
            )
        yield {
            "key": key,
            "label": labels[key],
            "offset": [parts[kind].offset_data for kind in MEMBERS],
            "size": [parts[kind].size for kind in MEMBERS],
        }


def _split(member: tarfile.TarInfo) -> tuple[str, str]:
    key, _, kind = member.name.partition(".")
    return key, kind


def _label(tar: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> str | None:
    payload = tar.extractfile(member)
    return ABOUT.parse(payload.read() if payload else b"", f"{name}:{member.name}")["label"]
