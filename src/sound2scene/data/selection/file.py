"""The chosen moments of videos: the file that selection writes and preparation reads."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sound2scene import files
from sound2scene.moments import Choice
from sound2scene.types import InputError

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
        write_text(path, self.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Selection:
        """Read what `save` wrote.

        Raises:
            InputError: If the file is missing, damaged or of another kind.
        """
        found = read_json(path)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            remedy = "select again, or use `sound2scene moments import`"
            raise InputError(f"{path}: not a selection of format {FORMAT}; {remedy}")
        scorer, videos, rejected = (found.get(name) for name in ("scorer", "videos", "rejected"))
        if not (isinstance(scorer, dict) and isinstance(videos, dict) and isinstance(rejected, dict)):
            raise InputError(f"{path}: scorer, videos and rejected must be mappings; select again")
        return cls(
            scorer,
            {key: Choice.from_json(value, f"{path}: {key!r}") for key, value in videos.items()},
            {key: _reason(value, f"{path}: rejected {key!r}") for key, value in rejected.items()},
        )


def _reason(value: object, name: str) -> tuple[str, str]:
    match value:
        case [str(kind), str(reason)]:
            return kind, reason
    raise InputError(f"{name}: expected a kind and a reason; select again")


def _lines(rows: list[tuple[str, Any]]) -> str:
    inner = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in rows)
    return f"{{\n{inner}\n}}" if rows else "{}"


def read_json(path: str | os.PathLike[str]) -> Any:
    """What a JSON file holds.

    Raises:
        InputError: If it cannot be read, is no JSON, or has a key twice.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_unique)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: cannot be read as JSON ({error}); check the path, or make it again"
        ) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        doubles = [repr(key) for key, count in Counter(key for key, _ in pairs).items() if count > 1]
        raise InputError(f"{', '.join(doubles[:3])} more than once")
    return found


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file whole or not at all, and be sure that it is on the disk.

    Raises:
        InputError: If it cannot be written.
    """
    try:
        files.write(path, text, sync=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error}); choose another place") from None
