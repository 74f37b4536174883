"""The chosen moments of videos: the file that selection writes and preparation reads, and the published annotation.

The published file counts frames of 10 per second from 1 (inferred: 1 is the smallest seen, and FFmpeg numbers
pictures so). Here a moment is a second, (index - 1) / 10, so that it means the same in a video of any frame
rate.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sound2scene.data.vggsound.names import ClipName
from sound2scene.moments import STEP_HZ, Choice
from sound2scene.types import CLIP_S, InputError

FORMAT = 1


Layout = Literal["list", "mapping"]


@dataclass(frozen=True)
class Selection:
    """Chosen moments of many videos.

    Attributes:
        scorer: Who chose: `name`, `fingerprint` and `settings`.
        videos: Choice of each video; a key is its path below the folder, without suffix.
        rejected: Kind and reason, one line, of each video that could not be scored.
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
        _write(Path(path), self.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Selection:
        """Read what `save` wrote.

        Raises:
            InputError: If the file is missing, damaged or of another kind.
        """
        found = _read(path)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise InputError(
                f"{path}: not a selection of format {FORMAT}; select again, or use `sound2scene moments "
                "import`"
            )
        scorer, videos, rejected = (found.get(name) for name in ("scorer", "videos", "rejected"))
        if not (isinstance(scorer, dict) and isinstance(videos, dict) and isinstance(rejected, dict)):
            raise InputError(f"{path}: scorer, videos and rejected must be mappings; select again")
        for key, reason in rejected.items():
            if not (
                isinstance(reason, list)
                and len(reason) == 2
                and all(isinstance(part, str) for part in reason)
            ):
                raise InputError(f"{path}: rejected {key!r}: expected a kind and a reason; select again")
        return cls(
            scorer,
            {key: Choice.from_json(value, f"{path}: {key!r}") for key, value in videos.items()},
            {key: (kind, reason) for key, (kind, reason) in rejected.items()},
        )

    @classmethod
    def load_published(cls, path: str | os.PathLike[str]) -> Selection:
        """Read the layout of `top1_boxes_top10_moments.json`.

        That is a list whose second element maps names to indices, or the mapping alone. Keys are kept as they
        are; there are no scores, and every clip lasts 10 s.

        Raises:
            InputError: If the file is anything else, or an index is no whole number of 1 or more.
        """
        found = _read(path)
        mapping = found[1] if isinstance(found, list) and len(found) == 2 else found
        if not isinstance(mapping, dict) or "format" in mapping:
            raise InputError(
                f"{path}: expected a mapping of names to indices, or a list with it as second of two"
            )
        videos = {}
        for key, indices in mapping.items():
            whole = isinstance(indices, list) and all(
                type(index) is int and 1 <= index < 10**7 for index in indices
            )
            if not whole or not indices:
                raise InputError(
                    f"{path}: {key!r}: expected whole numbers from 1 (tenths of a second); mend or drop it"
                )
            videos[key] = Choice(tuple((index - 1) / STEP_HZ for index in indices), (), CLIP_S)
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        return cls({"name": "published", "fingerprint": digest, "settings": {}}, videos, {})

    def save_published(self, path: str | os.PathLike[str], layout: Layout = "list") -> None:
        """Write the published layout: each moment as the nearest index, VGGSound's names as `<id>_<start ms>_<end ms>`.

        Args:
            path: Where to.
            layout: `list` has the mapping as its second element, after an empty one for the boxes, which we
                lack.

        Raises:
            InputError: If two videos have one published name, or the file cannot be written.
        """
        mapping: dict[str, list[int]] = {}
        for key in sorted(self.videos):
            name = _published_name(key)
            if name in mapping:
                raise InputError(
                    f"{key!r}: another video has the published name {name!r} too; leave one of them out"
                )
            mapping[name] = [math.floor(second * STEP_HZ + 0.5) + 1 for second in self.videos[key].moments_s]
        _write(Path(path), json.dumps([{}, mapping] if layout == "list" else mapping) + "\n")


def _published_name(key: str) -> str:
    try:
        return ClipName.parse(key.rpartition("/")[2]).in_ms()
    except InputError:
        return key


def _lines(rows: list[tuple[str, Any]]) -> str:
    inner = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in rows)
    return f"{{\n{inner}\n}}" if rows else "{}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        doubles = [repr(key) for key, count in Counter(key for key, _ in pairs).items() if count > 1]
        raise InputError(f"{', '.join(doubles[:3])} more than once")
    return found


def _read(path: str | os.PathLike[str]) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_unique)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: cannot be read as JSON ({error}); check the path, or make it again"
        ) from None


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error}); choose another place") from None
    finally:
        partial.unlink(missing_ok=True)
