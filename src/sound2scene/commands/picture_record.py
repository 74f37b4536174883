"""`pictures.json`: what pictures were drawn of, with what, and how to draw the same ones again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NotRequired, TypedDict

from msgspec import Meta

from sound2scene import files
from sound2scene.commands.picture_order import USUAL_KIND, Layout, Settings
from sound2scene.records import Count, Record
from sound2scene.types import InputError

RECORD = "pictures.json"
FORMAT = 1
PACKAGES = ("sound2scene", "torch", "torchaudio", "timm", "numpy", "soundfile", "soxr", "av", "pillow")
# Those whose other version may change a pixel by its last bit.
_DRAWING = ("torch", "torchaudio", "soxr", "numpy", "timm")


class Network(TypedDict):
    """An artifact that pictures were drawn with."""

    folder: str
    fingerprint: str


class Drawn(TypedDict):
    """A sound and its pictures.

    Attributes:
        name: What its pictures are named after.
        file: Where the sound lies.
        sha256: Checksum of that file.
        pictures: Names of its pictures, in the order of the draws; one name where they lie side by side.
        page: Name of the grid on which it stands.
        cosine: Cosine to the nearest of the sounds that the audio encoder was validated on.
        far: Whether it lies farther from them than 95 % of them do from each other.
    """

    name: str
    file: str
    sha256: str
    pictures: list[str]
    page: NotRequired[str | None]
    cosine: NotRequired[float | None]
    far: NotRequired[bool | None]


class Unreadable(TypedDict):
    """A file that could not be drawn, and why."""

    file: str
    reason: str


class MadeHere(TypedDict):
    """What every record says of the command that wrote it."""

    command: list[str]
    cwd: str
    created: str
    versions: dict[str, str]


class Painter(TypedDict):
    """The method that drew.

    Attributes:
        kind: Its kind, as `generate --method` names it.
        networks: Its artifacts, by their keys.
    """

    kind: str
    networks: dict[str, Network]


class PictureRecord(MadeHere):
    """What `pictures.json` says; relative paths in it count from `cwd`.

    Older ones have no `method`, but `audio_encoder` and `generator` of sound2scene.
    """

    format: int
    seed: Count
    draws: Annotated[int, Meta(ge=1, le=2**20)]
    truncation: Annotated[float, Meta(ge=0, le=1)]
    layout: Layout
    device: str
    method: NotRequired[Painter]
    audio_encoder: NotRequired[Network]
    generator: NotRequired[Network]
    sounds: list[Drawn]
    unreadable: list[Unreadable]


_RECORD = Record(PictureRecord, "draw the pictures anew, or name the pictures.json of others", FORMAT)


def made_here() -> MadeHere:
    """Command, folder, time and versions."""
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "cwd": os.getcwd(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
    }


def write_record(
    folder: Path,
    settings: Settings,
    device: str,
    painter: Painter,
    sounds: Sequence[Drawn],
    unreadable: Sequence[Unreadable],
) -> None:
    """Write `pictures.json` beside the pictures, all or nothing.

    Args:
        folder: Folder of the pictures.
        settings: How they were drawn.
        device: Where.
        painter: By what.
        sounds: What was drawn.
        unreadable: What could not be.
    """
    record: dict[str, object] = {
        "format": FORMAT,
        **made_here(),
        **settings,
        "device": device,
        "method": painter,
        "sounds": list(sounds),
        "unreadable": list(unreadable),
    }
    files.write(folder / RECORD, json.dumps(record, indent=1) + "\n")


def read_record(path: Path) -> PictureRecord:
    """What a `pictures.json` says.

    Args:
        path: The file, or the folder that it lies in.

    Raises:
        InputError: If it is none.
    """
    record = _RECORD.read_in(path, RECORD)
    if "method" not in record and not {"audio_encoder", "generator"} <= record.keys():
        raise InputError(f"{path}: does not say what drew; {_RECORD.remedy}")
    return record


def method_in(record: PictureRecord) -> Painter:
    """The method that drew what a record tells of."""
    if "method" in record:
        return record["method"]
    pair = {"audio_encoder": record["audio_encoder"], "generator": record["generator"]}
    return Painter(kind=USUAL_KIND, networks=pair)


def versions() -> dict[str, str]:
    """What draws here: Python, and the packages that have a part in the pixels."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def other_versions(record: PictureRecord) -> list[str]:
    """Packages of another version than pictures were drawn with, in words."""
    here, there = versions(), record["versions"]
    return [
        f"{name} {there[name]}, here {here[name]}"
        for name in _DRAWING
        if there.get(name, "") not in ("", here[name])
    ]


def checksum(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); mend its rights") from None
