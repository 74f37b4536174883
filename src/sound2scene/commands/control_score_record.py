"""The `scores.json` of `control-score`: every figure of control, and what it was measured on and with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, TypedDict

from sound2scene import files
from sound2scene.commands.picture_record import MadeHere, Network, Unreadable, made_here
from sound2scene.control.score_bench import Extent, Part
from sound2scene.control.score_clips import ToyClips
from sound2scene.records import Record

RECORD = "scores.json"
OPERATION = "control-score"
FORMAT = 1


class WrittenFigure(TypedDict):
    """A figure, with its 95 % interval, the number of items, and what chance or no effect gives."""

    name: str
    claim: str
    about: str
    value: float
    low: float
    high: float
    n: int
    without: float | None
    meaning: str


class WrittenCourse(TypedDict):
    """Figures over what is changed step by step."""

    name: str
    over: str
    at: list[float]
    lines: dict[str, list[float]]


class WrittenSource(TypedDict):
    """What was measured on; clips of one source, those of them whose picture shows it, and clips of two."""

    shards: str
    split: str
    fingerprint: str
    single: int
    shown: int
    double: int


class WrittenExtent(TypedDict):
    """How much was measured; see `sound2scene.control.score_bench.Extent`."""

    gains_db: list[float]
    shares: list[float]
    steps: int
    draws: int
    inverted: int
    edit_db: list[float]
    effort: dict[str, int]
    seed: int


class ScoreRecord(MadeHere):
    """What it says; relative paths in it count from `cwd`."""

    format: int
    operation: str
    source: WrittenSource
    extent: WrittenExtent
    device: str
    networks: dict[str, Network]
    figures: list[WrittenFigure]
    courses: list[WrittenCourse]
    left_out: list[Unreadable]


class Source(NamedTuple):
    """The address of a dataset, and the clips of it that were used."""

    shards: str
    clips: ToyClips


_RECORD = Record(ScoreRecord, "measure again, or name the scores.json of another `control-score`", FORMAT)


def write_record(
    folder: Path,
    source: Source,
    extent: Extent,
    measured: Part,
    made_with: tuple[Mapping[str, tuple[str, str]], str],
) -> None:
    """Write it, all or nothing.

    Args:
        folder: Where to.
        source: What was measured on.
        extent: How much was measured.
        measured: What came of it.
        made_with: Folder and fingerprint of each network, and the device.
    """
    networks, device = made_with
    clips = source.clips
    record: ScoreRecord = {
        "format": FORMAT,
        "operation": OPERATION,
        **made_here(),
        "source": {
            "shards": source.shards,
            "split": clips.split.split,
            "fingerprint": clips.split.fingerprint,
            "single": len(clips.single),
            "shown": len(clips.shown),
            "double": len(clips.double),
        },
        "extent": _written(extent),
        "device": device,
        "networks": {
            name: Network(folder=path, fingerprint=found) for name, (path, found) in networks.items()
        },
        "figures": _figures(measured),
        "courses": _courses(measured),
        "left_out": [Unreadable(file=one.key, reason=one.reason) for one in clips.rejected],
    }
    files.write(folder / RECORD, json.dumps(record, indent=1, allow_nan=False) + "\n")


def read_record(path: Path) -> ScoreRecord:
    """What such a record says.

    Args:
        path: The file, or the folder that it lies in.

    Raises:
        InputError: If it is none.
    """
    return _RECORD.read_in(path, RECORD)


def _written(extent: Extent) -> WrittenExtent:
    return {
        "gains_db": list(extent.gains_db),
        "shares": list(extent.shares),
        "steps": extent.steps,
        "draws": extent.draws,
        "inverted": extent.inverted,
        "edit_db": list(extent.edit_db),
        "effort": asdict(extent.effort),
        "seed": extent.seed,
    }


def _figures(measured: Part) -> list[WrittenFigure]:
    return [
        {
            "name": figure.name,
            "claim": figure.claim,
            "about": figure.about,
            "value": figure.estimate.value,
            "low": figure.estimate.low,
            "high": figure.estimate.high,
            "n": figure.estimate.items,
            "without": figure.without,
            "meaning": figure.meaning,
        }
        for figure in measured.figures
    ]


def _courses(measured: Part) -> list[WrittenCourse]:
    return [
        {
            "name": course.name,
            "over": course.over,
            "at": list(course.at),
            "lines": {name: list(line) for name, line in course.lines.items()},
        }
        for course in measured.courses
    ]
