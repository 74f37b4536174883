"""`control.json`: what was changed step by step, with what it was drawn, and where everything lies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple, TypeAlias, TypedDict

from msgspec import Meta

from sound2scene import files
from sound2scene.commands.picture_record import MadeHere, Network, Unreadable, made_here
from sound2scene.records import Count, Record

RECORD = "control.json"
FORMAT = 1
NOISE = "sound2scene.latent.noise(seed, draw, width, truncation)"
Setting: TypeAlias = bool | int | float | str | list[int | float | str] | None


class SourceFile(TypedDict):
    """A file that something was drawn from."""

    file: str
    sha256: str


class WrittenStep(TypedDict):
    """A step and its files, by their names from the folder of the record.

    Attributes:
        label: What the figure calls it.
        numbers: What it is made by and what was measured, such as `gain_db` and the share that is `clipped`.
        sound: The sound, FLAC of 16 bits; None where there is none.
        pictures: Its pictures, in the order of the draws.
    """

    label: str
    numbers: dict[str, float]
    sound: str | None
    pictures: list[str]


class WrittenRow(TypedDict):
    """Steps that belong together.

    Attributes:
        name: What the figure calls them, and their folder.
        sources: What they were drawn from.
        latents: Tensor of the latents file that holds their latents, a row a step.
        noise: Tensor of the latents file that holds their noise, (steps, draws, width); None where every step
            has the noise of `noise_law`.
        page: The figure that they stand on.
        animation: Their animation; None where none was asked for.
        steps: The steps.
    """

    name: str
    sources: list[SourceFile]
    latents: str
    noise: str | None
    page: str
    animation: str | None
    steps: list[WrittenStep]


class NoiseOf(TypedDict):
    """The noise that every step shares: draw j of each has `noise(seed, j, width, truncation)`."""

    law: str
    seed: Count
    draws: Annotated[int, Meta(ge=1, le=2**20)]
    truncation: Annotated[float, Meta(ge=0, le=1)]


class ControlRecord(MadeHere):
    """What `control.json` says; relative paths of sources and networks in it count from `cwd`."""

    format: int
    operation: str
    noise: NoiseOf
    settings: dict[str, Setting]
    device: str
    networks: dict[str, Network]
    latents: str
    pages: list[str]
    rows: list[WrittenRow]
    unreadable: list[Unreadable]


class Made(NamedTuple):
    """What a record tells of how pictures were made.

    Attributes:
        operation: Word of the command.
        seed: Seed of the noise.
        draws: Pictures of each step.
        truncation: Truncation of the noise.
        settings: Whatever else was asked for.
        device: Where it was drawn.
        networks: Artifacts by what they were used as, such as `audio_encoder`.
    """

    operation: str
    seed: int
    draws: int
    truncation: float
    settings: Mapping[str, Setting]
    device: str
    networks: Mapping[str, Network]


_RECORD = Record(ControlRecord, "make the pictures anew, or name the control.json of others", FORMAT)


def write_record(
    folder: Path,
    made: Made,
    latents: str,
    pages: Sequence[str],
    rows: Sequence[WrittenRow],
    unreadable: Sequence[Unreadable],
) -> None:
    """Write `control.json` beside the pictures, all or nothing.

    Args:
        folder: Folder of the pictures.
        made: How they were made.
        latents: Name of the latents file.
        pages: Names of the figures.
        rows: What was written.
        unreadable: What could not be used.
    """
    record: ControlRecord = {
        "format": FORMAT,
        "operation": made.operation,
        **made_here(),
        "noise": {"law": NOISE, "seed": made.seed, "draws": made.draws, "truncation": made.truncation},
        "settings": dict(made.settings),
        "device": made.device,
        "networks": dict(made.networks),
        "latents": latents,
        "pages": list(pages),
        "rows": list(rows),
        "unreadable": list(unreadable),
    }
    files.write(folder / RECORD, json.dumps(record, indent=1, allow_nan=False) + "\n")


def read_record(path: Path) -> ControlRecord:
    """What a `control.json` says.

    Args:
        path: The file, or the folder that it lies in.

    Raises:
        InputError: If it is none.
    """
    return _RECORD.read_in(path, RECORD)
