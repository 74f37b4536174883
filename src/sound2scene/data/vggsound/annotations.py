"""What others have published about VGGSound's clips: boxes of sources, and the best moments.

The published file of moments counts frames of 10 per second from 1 (inferred: 1 is the smallest seen, and
FFmpeg numbers pictures so). Here a moment is a second, (index - 1) / 10, so that it means the same in a video
of any frame rate.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Annotated, Literal, TypedDict

from msgspec import Meta

from sound2scene import files
from sound2scene.data.selection.file import Selection
from sound2scene.data.vggsound.names import clip_name
from sound2scene.moments import STEP_HZ, Choice
from sound2scene.records import Record
from sound2scene.types import CLIP_S, InputError

Boxes = tuple[tuple[float, float, float, float], ...]
Layout = Literal["list", "mapping"]


class _Indices(TypedDict):
    """Tenths of a second, counted from 1."""

    index: Annotated[list[Annotated[int, Meta(ge=1, lt=10**7)]], Meta(min_length=1)]


def read_vggss(path: str | Path) -> dict[str, Boxes]:
    """Boxes of VGG-SS, drawn in the middle frame of a clip, in shares of the picture.

    Source: Chen et al. (CVPR 2021), `metadata/lvs_vggss.json`: a list of `file`, `class` and `bbox`, each box
    (x0, y0, x1, y1). In the published file 12 of the boxes hold a number that has overflown; they are left
    out.

    Args:
        path: The published file.

    Returns:
        Boxes of each clip by its name, `<id>_<start ms>_<end ms>`.

    Raises:
        InputError: If the file is anything else.
    """
    found: dict[str, Boxes] = {}
    for item in _VGGSS.read(path):
        if (name := clip_name(item["file"])) is None:
            raise InputError(f"{path}: {item['file']!r} is no clip of VGGSound; give VGG-SS's list")
        found[name] = found.get(name, ()) + tuple(
            box for box in item["bbox"] if 0 <= min(box) <= max(box) <= 1
        )
    return {name: boxes for name, boxes in found.items() if boxes}


class _Boxed(TypedDict):
    file: str
    bbox: list[tuple[float, float, float, float]]


_VGGSS = Record(list[_Boxed], "give VGG-SS's list of file, class and bbox")
_PUBLISHED = Record(object, "give the published list or mapping of moments, or select again", unique=True)
_INDICES = Record(_Indices, "mend or drop it")


def load_published(path: str | os.PathLike[str]) -> Selection:
    """The moments of `top1_boxes_top10_moments.json`, or of a file of its layout.

    That is a list whose second element maps names to indices, or the mapping alone. Keys are kept as they
    are; there are no scores, and every clip lasts 10 s.

    Raises:
        InputError: If the file is anything else, or an index is no whole number of 1 or more.
    """
    found = _PUBLISHED.read(path)
    mapping = found[1] if isinstance(found, list) and len(found) == 2 else found
    if not isinstance(mapping, dict) or "format" in mapping:
        raise InputError(
            f"{path}: expected a mapping of names to indices, or a list with it as second of two"
        )
    videos = {
        key: Choice(_seconds(_INDICES.convert({"index": value}, f"{path}: {key!r}")), (), CLIP_S)
        for key, value in mapping.items()
    }
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return Selection({"name": "published", "fingerprint": digest, "settings": {}}, videos, {})


def _seconds(indices: _Indices) -> tuple[float, ...]:
    return tuple((index - 1) / STEP_HZ for index in indices["index"])


def save_published(selection: Selection, path: str | os.PathLike[str], layout: Layout = "list") -> None:
    """Write the published layout: each moment as the nearest index.

    Args:
        selection: Moments to write; VGGSound's names become `<id>_<start ms>_<end ms>`, others stay.
        path: File to write.
        layout: `mapping` maps names to indices; `list` has that mapping behind an empty one, which stands for
            the boxes that we lack.

    Raises:
        InputError: If two videos have one published name, or the file cannot be written.
    """
    mapping: dict[str, list[int]] = {}
    for key in sorted(selection.videos):
        name = clip_name(key) or key
        if name in mapping:
            raise InputError(
                f"{key!r}: another video has the published name {name!r} too; leave one of them out"
            )
        mapping[name] = [math.floor(second * STEP_HZ + 0.5) + 1 for second in selection.videos[key].moments_s]
    files.write(path, json.dumps([{}, mapping] if layout == "list" else mapping) + "\n", sync=True)


def load_selection(path: str | os.PathLike[str]) -> Selection:
    """A file of moments, ours or of the published layout.

    Raises:
        InputError: If it is neither.
    """
    try:
        return Selection.load(path)
    except InputError as error:
        try:
            return load_published(path)
        except InputError:
            raise error from None
