"""The chosen moments of videos: the file that selection writes and preparation reads."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from sound2scene import files
from sound2scene.moments import Choice
from sound2scene.records import Record

FORMAT = 1


@dataclass(frozen=True)
class Selection:
    """Chosen moments of many videos.

    Attributes:
        scorer: Who chose: `name`, `fingerprint` and `settings`.
        videos: Choice for each video; a key is the video's path below the folder, without suffix.
        rejected: Kind and reason (one line) for each video that could not be scored.
    """

    scorer: Mapping[str, Any]
    videos: Mapping[str, Choice]
    rejected: Mapping[str, tuple[str, str]]

    def to_json(self) -> str:
        """One line a video, sorted: the same selection is the same text."""
        videos = [(key, self.videos[key].as_json()) for key in sorted(self.videos)]
        rejected = [(key, list(self.rejected[key])) for key in sorted(self.rejected)]
        scorer = json.dumps(dict(self.scorer), sort_keys=True)
        return (
            f'{{\n"format": {FORMAT},\n"scorer": {scorer},\n'
            f'"videos": {_lines(videos)},\n"rejected": {_lines(rejected)}\n}}\n'
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write, all or nothing.

        Raises:
            InputError: If it cannot be written.
        """
        files.write(path, self.to_json(), sync=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Selection:
        """Read what `save` wrote.

        Raises:
            InputError: If the file is missing, damaged or of another kind.
        """
        found = _FILE.read(path)
        return cls(
            found["scorer"],
            {key: Choice.from_json(value, f"{path}: {key!r}") for key, value in found["videos"].items()},
            found["rejected"],
        )


class _File(TypedDict):
    scorer: dict[str, Any]
    videos: dict[str, Any]
    rejected: dict[str, tuple[str, str]]


_FILE = Record(_File, "select again, or use `sound2scene moments import`", FORMAT, unique=True)


def _lines(rows: list[tuple[str, Any]]) -> str:
    inner = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in rows)
    return f"{{\n{inner}\n}}" if rows else "{}"
