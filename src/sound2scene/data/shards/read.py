"""The one format on disk: plain WebDataset tars, read map-style by an index.

A dataset is a folder, local or on an object store (any address that fsspec opens)::

    dataset.json            format, name, classes, notes; of each split the shards and what they hold
    train/000000.tar        clips in order, each as the members key.jpg, key.flac and key.json
    train/index.npz         where each clip's members lie, its key and its class
    train/rejected.jsonl    one line per clip that could not be prepared, with its reason

Random access without opening a tar makes exactness (no clip lost or doubled, resume at the next clip) a
sampler's business alone, and any WebDataset reader still streams the same tars.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from sound2scene import audio
from sound2scene.data.shards.ahead import Part, ReadAhead
from sound2scene.data.shards.card import REMEDY, SplitCard, read_card
from sound2scene.data.shards.filesystem import FileSystem
from sound2scene.data.shards.index import ABOUT, MEMBERS, Index
from sound2scene.data.shards.report import covered
from sound2scene.data.shards.signed import AT_ONCE
from sound2scene.types import About, Clip, InputError


class UnreadableError(InputError):
    """A file that a server or disk does not give as it should; its content is not at fault."""


class Folder:
    """A dataset folder or address: its ``dataset.json`` and byte ranges of its files.

    A copy for another process takes the card along, and opens the file system only when it reads.

    Args:
        address: Local path, or anything fsspec opens (``s3://bucket/name``).

    Attributes:
        card: What ``dataset.json`` says.

    Raises:
        InputError: If there is no dataset there, of another format, or one that names files outside its
            folder.
    """

    def __init__(self, address: str | Path) -> None:
        self.address = str(address)
        try:
            self._files = FileSystem(address)
            data = self.read("dataset.json")
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(
                f"{self.address}: no dataset.json there; make one with `sound2scene prepare`"
            ) from None
        except InputError:
            raise
        except (ValueError, ImportError) as error:
            # An unknown protocol, or one whose package is not installed.
            reason = " ".join(str(error).split())
            raise InputError(f"{self.address}: cannot be opened ({reason}); check the address") from None
        self.card = read_card(data, f"{self.address}/dataset.json")

    @property
    def is_local(self) -> bool:
        """Whether its files lie on this machine's disks."""
        return self._files.is_local

    @property
    def classes(self) -> list[str]:
        """Class names in the order of their indices."""
        return self.card["classes"]

    @property
    def notes(self) -> Mapping[str, Any]:
        """What was noted when the dataset was made: coverage, the choice of moments ..."""
        return self.card.get("notes", {})

    def coverage(self) -> dict[str, dict[str, int]]:
        """Clips prepared, found and expected in each split of the source; empty where it was not counted."""
        return covered(self.card)

    def fingerprints(self) -> dict[str, str]:
        """Fingerprint of the data of each split."""
        return {name: split["fingerprint"] for name, split in self.card["splits"].items()}

    def split(self, name: str) -> SplitCard:
        """The card of a split.

        Raises:
            InputError: If there is no such split.
        """
        splits = self.card["splits"]
        if name not in splits:
            raise InputError(f"{self.address}: no split {name!r}; it has {', '.join(splits)}")
        return splits[name]

    def read(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        """Bytes [start, end) of a file in the folder, the whole file by default.

        Raises:
            FileNotFoundError: If there is no such file.
            UnreadableError: If it cannot be read, or not as many bytes come as were asked for.
        """
        with self._told(name):
            data = self._files.read(name, start, end)
        if start is not None and end is not None and len(data) != end - start:
            remedy = "it has changed, or its server gives no parts of files (ranges): copy the dataset"
            raise UnreadableError(
                f"{self.address}/{name}: gave {len(data)} bytes where {end - start} were asked for; {remedy}"
            )
        return data

    def begin(self, name: str, start: int, end: int) -> Future[bytes] | None:
        """Begin to read a part of a file, for `ReadAhead`; None where that is a thread's work."""
        return self._files.begin(name, start, end)

    def size(self, name: str) -> int | None:
        """Bytes of a file in the folder; None where a server does not tell.

        Raises:
            FileNotFoundError: If there is no such file.
            UnreadableError: If it cannot be asked for.
        """
        with self._told(name):
            found: int | None = self._files.opened.size(self._files.path(name))
        return found

    def sizes(self, names: Sequence[str]) -> Iterator[int | None]:
        """As `size`, of many files, several of which are asked for at once where they lie elsewhere."""
        if self.is_local:
            yield from map(self.size, names)
            return
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield from pool.map(self.size, names)

    def listed(self, name: str = "") -> list[tuple[str, bool]]:
        """Names in a folder, and whether each is a folder; none where nobody tells."""
        try:
            found = self._files.opened.ls(self._files.path(name), detail=True)
            return [(one["name"].rstrip("/").rpartition("/")[2], one["type"] == "directory") for one in found]
        except Exception:  # many servers list nothing, each in its own way
            return []

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """One line for what a file system says."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # every kind of server has errors of its own, `Exception` among them
            if _is_missing(error):
                raise
            told = error.__cause__ if isinstance(error, FileNotFoundError) else error
            words = " ".join(str(told).split())[:200] or type(told).__name__
            raise UnreadableError(
                f"{self.address}/{name}: cannot be read ({words}); check address, rights and connection"
            ) from None


def _is_missing(error: Exception) -> bool:
    """Whether a file is not there; where a server does not answer, some file systems say so as well."""
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return False
    cause = error.__cause__
    return cause is None or isinstance(cause, FileNotFoundError) or getattr(cause, "status", 0) in (404, 410)


class ShardDataset(Dataset[Clip]):
    """One split of a dataset, read clip by clip.

    Opening it asks for the size of every shard; a copy that goes to a loader's worker asks for nothing.

    Args:
        dataset: The dataset, or its folder or address.
        split: `train`, `val` or `test`.

    Attributes:
        classes: Class names; `label_N` indexes them.
        label_N: Class index of each clip (int64), -1 for none.
        fingerprint: Changes whenever any byte of the split changes.

    Raises:
        InputError: If the split is missing, or one of its shards is missing or not of the size it was written
            with.
    """

    def __init__(self, dataset: Folder | str | Path, split: str) -> None:
        self.folder = dataset if isinstance(dataset, Folder) else Folder(dataset)
        self.split = split
        card = self.folder.split(split)
        self.shards = [f"{split}/{shard['name']}" for shard in card["shards"]]
        self._check_shards([shard["bytes"] for shard in card["shards"]])
        self._ahead = ReadAhead(self.folder)
        self.classes = self.folder.classes
        self.index = self._read_index(card)
        self.label_N = torch.from_numpy(self.index.label_N.astype(np.int64))
        self.fingerprint = card["fingerprint"]

    def _read_index(self, card: SplitCard) -> Index:
        where = f"{self.folder.address}/{self.split}/index.npz"
        try:
            index = Index.load(io.BytesIO(self.folder.read(f"{self.split}/index.npz")), where)
        except FileNotFoundError:
            raise InputError(f"{where}: missing; {REMEDY}") from None
        if len(index.key_N) != card["clips"]:
            raise InputError(f"{where}: lists {len(index.key_N)} clips, not {card['clips']}; {REMEDY}")
        bytes_S = np.array([shard["bytes"] for shard in card["shards"]], np.int64)
        index.check(bytes_S, len(self.classes), where)
        return index

    def _check_shards(self, expected_S: Sequence[int]) -> None:
        sizes = self.folder.sizes(self.shards)
        for path, expected in zip(self.shards, expected_S, strict=True):
            where = f"{self.folder.address}/{path}"
            try:
                size = next(sizes)
            except FileNotFoundError:
                raise InputError(f"{where}: shard is missing; {REMEDY}") from None
            if size is not None and size != expected:
                raise InputError(f"{where}: shard has {size} bytes instead of {expected}; {REMEDY}")

    def __len__(self) -> int:
        return len(self.index.key_N)

    def key(self, position: int) -> str:
        """Name of a clip."""
        return bytes(self.index.key_N[position]).decode()

    def member(self, position: int, kind: str) -> bytes:
        """One member (`jpg`, `flac` or `json`) of a clip, as written."""
        try:
            return self._ahead.read(self._part(position, kind))
        except FileNotFoundError:
            raise InputError(f"{self.where(position)}: shard is missing; {REMEDY}") from None

    def expect(self, wanted: Iterable[tuple[int, str]]) -> None:
        """Begin to read members, by position and kind, that are asked for next; for far shards alone."""
        if not self.folder.is_local:
            self._ahead.expect(self._part(position, kind) for position, kind in wanted)

    def _part(self, position: int, kind: str) -> Part:
        column = MEMBERS.index(kind)
        start = int(self.index.offset_NM[position, column])
        end = start + int(self.index.size_NM[position, column])
        return Part(self.shards[self.index.shard_N[position]], start, end)

    def where(self, position: int) -> str:
        """A clip's name and shard, for messages."""
        return f"{self.folder.address}/{self.shards[self.index.shard_N[position]]}:{self.key(position)}"

    def waveform(self, position: int) -> NDArray[np.float32]:
        """Sound of a clip: 160,000 float32 samples at 16 kHz in [-1, 1]."""
        data = self.member(position, "flac")
        try:
            return audio.load(data)
        except InputError as error:
            raise InputError(f"{self.where(position)}: {error}") from None

    def metadata(self, position: int) -> About:
        """What was written beside picture and sound."""
        return ABOUT.parse(self.member(position, "json"), self.where(position))

    def __getitem__(self, position: int) -> Clip:
        about = self.metadata(position)
        return Clip(
            self.key(position),
            self.member(position, "jpg"),
            self.waveform(position),
            about["moment_s"],
            about["label"],
            about["metadata"],
        )
