"""A selection in the making: a file of JSON lines for each process, beside the target, that survives a kill.

The first line says who scores; parts of another scorer are refused. A line that a kill has torn is left out
and its video done again. Which process did a video leaves no trace in the end: any number of them may go on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NotRequired, TypedDict

from sound2scene.data.selection.file import FORMAT, Selection
from sound2scene.files import writing
from sound2scene.moments import Choice, Refused
from sound2scene.records import Record
from sound2scene.types import InputError


class _Header(TypedDict):
    scorer: dict[str, Any]


class _Row(TypedDict):
    key: str
    rejected: NotRequired[tuple[str, str]]
    moments_s: NotRequired[list[float]]
    scores: NotRequired[list[float]]
    duration_s: NotRequired[float]


_REMEDY = "delete this file, its videos are then scored again"
_HEADER, _ROW = Record(_Header, _REMEDY, FORMAT), Record(_Row, _REMEDY)


class Parts:
    """The parts of one selection and its finished file, if there is one.

    Args:
        target: The finished file; its folder is made if missing.
        scorer: Who chooses, as in `Selection`: every line must have been scored with it.

    Raises:
        InputError: If what is there is damaged or was scored by another scorer or with other settings.
    """

    def __init__(self, target: str | os.PathLike[str], scorer: Mapping[str, Any]) -> None:
        self.target, self.scorer = Path(target), dict(scorer)
        self._header = json.dumps({"format": FORMAT, "scorer": self.scorer}, sort_keys=True).encode() + b"\n"
        self._file: BinaryIO | None = None
        self._videos: dict[str, Choice] = {}
        self._rejected: dict[str, tuple[str, str]] = {}
        self._read: dict[Path, tuple[int, int]] = {}  # bytes and lines of each part that are known
        if self.target.exists():
            done = Selection.load(self.target)
            self._check(self.target, done.scorer)
            self._videos.update(done.videos)
            self._rejected.update(done.rejected)
        self.selection()

    def selection(self) -> Selection:
        """All that is done so far, finished file and all parts together; of these only new lines are read."""
        for path in self._paths():
            for key, found in self._new_rows(path):
                if isinstance(found, Refused):
                    self._rejected[key] = (found.kind, found.reason)
                else:
                    self._videos[key] = found
        for key in self._rejected.keys() & self._videos.keys():  # tried again, by whichever process
            del self._rejected[key]
        return Selection(self.scorer, dict(self._videos), dict(self._rejected))

    def add(self, rank: int, key: str, found: Choice | Refused) -> None:
        """Append a finished video to this process's part; it is on its way to the disk when this returns.

        Raises:
            InputError: If it cannot be written.
        """
        row = {"key": key, **({"rejected": list(found)} if isinstance(found, Refused) else found.as_json())}
        with writing(self.target):
            self._file = self._file or self._open(self._path(rank))
            self._file.write(json.dumps(row).encode() + b"\n")
            self._file.flush()

    def close(self) -> None:
        """Let go of this process's part."""
        file, self._file = self._file, None
        if file is not None:
            with writing(self.target):
                file.close()

    def finish(self) -> Selection:
        """Write the finished file, then remove the parts of all processes."""
        whole = self.selection()
        whole.save(self.target)
        for path in self._paths():
            path.unlink(missing_ok=True)
        self._read.clear()
        return whole

    def _path(self, rank: int) -> Path:
        return self.target.with_name(f"{self.target.name}.part-{rank}.jsonl")

    def _paths(self) -> list[Path]:
        start, end = f"{self.target.name}.part-", ".jsonl"
        found = self.target.parent.iterdir() if self.target.parent.is_dir() else iter(())
        return sorted(path for path in found if path.name.startswith(start) and path.name.endswith(end))

    def _open(self, path: Path) -> BinaryIO:
        """Go on behind the last whole line."""
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
        whole = path.read_bytes().rfind(b"\n") + 1
        file.truncate(whole)
        if not whole:
            file.write(self._header)
        return file

    def _new_rows(self, path: Path) -> Iterator[tuple[str, Choice | Refused]]:
        start, before = self._read.get(path, (0, 0))
        try:
            with path.open("rb") as file:
                file.seek(start)
                lines = file.read().split(b"\n")[:-1]  # what follows the last line end is torn, or nothing
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); run again") from None
        for number, line in enumerate(lines, before + 1):
            name = f"{path}:{number}"
            if number == 1:
                self._check(path, _HEADER.parse(line, name)["scorer"])
                continue
            row = _ROW.parse(line, name)
            key = row["key"]
            found = Refused(*row["rejected"]) if "rejected" in row else Choice.from_json(row, name)
            yield key, found
        self._read[path] = start + sum(len(line) + 1 for line in lines), before + len(lines)

    def _check(self, path: Path, scorer: Any) -> None:
        if scorer != self.scorer:
            raise InputError(
                f"{path}: was scored by {_one_line(scorer)}, not {_one_line(self.scorer)}; "
                "choose another output, or delete this file"
            )


def _one_line(scorer: Any) -> str:
    return json.dumps(scorer, sort_keys=True)
