"""Result files: figures of several methods by one protocol, with all that they rest on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypedDict

from msgspec import Meta

from sound2scene.evaluation.estimates import Figure
from sound2scene.records import Count, Record

FORMAT = 1
_DIGITS = 7  # of resamples, whose last ones no interval shows


class WrittenFigure(TypedDict):
    """A figure; see `sound2scene.evaluation.estimates.Figure`."""

    name: str
    network: str
    better: Literal["higher", "lower"]
    value: float
    low: float | None
    high: float | None
    n: Count
    resampled: list[float]


class LeftOut(TypedDict):
    """A clip without a figure, and why."""

    key: str
    reason: str


class WrittenMethod(TypedDict):
    """A method and its figures.

    Attributes:
        name: Its name in tables.
        kind: Kind of method.
        settings: Its settings: artifacts, folders.
        fingerprints: Fingerprints of what it draws with.
        clips: Number of clips of which it has a picture.
        absent: Clips of which it has none.
        figures: Its figures.
    """

    name: str
    kind: str
    settings: dict[str, str]
    fingerprints: dict[str, str]
    clips: Count
    absent: list[LeftOut]
    figures: list[WrittenFigure]


class WrittenData(TypedDict):
    """What was drawn for.

    Attributes:
        shards: Address of the dataset.
        split: Split of it.
        fingerprint: Fingerprint of the split.
        clips: Number of clips that were drawn.
        classes: Number of classes.
        coverage: How much of its source the dataset covers, by split.
        left_out: Clips that a hygiene file left out.
    """

    shards: str
    split: str
    fingerprint: str
    clips: Annotated[int, Meta(ge=1)]
    classes: Count
    coverage: dict[str, dict[str, int]]
    left_out: list[LeftOut]


class WrittenNetwork(TypedDict):
    """A network that looked at the pictures."""

    protocol: str
    source: str | None
    fingerprint: str


class WrittenProtocol(TypedDict):
    """Under which protocol; two results compare where its fingerprint is one.

    Attributes:
        name: Its name.
        fingerprint: Hash of all that changes a figure, networks included.
        settings: Its file, as the command line changed it.
    """

    name: str
    fingerprint: str
    settings: dict[str, object]


class Result(TypedDict):
    """What a result file says; relative paths in it count from `cwd`."""

    format: int
    command: list[str]
    cwd: str
    created: str
    versions: dict[str, str]
    protocol: WrittenProtocol
    data: WrittenData
    networks: dict[str, WrittenNetwork]
    methods: list[WrittenMethod]


RESULT = Record(Result, "evaluate again, or name the result of another `evaluate`", FORMAT)


def read(path: Path) -> Result:
    """A result file.

    Raises:
        InputError: If it is none.
    """
    return RESULT.read(path)


def written(figure: Figure) -> WrittenFigure:
    """A figure as it stands in a result file."""
    return {
        "name": figure.name,
        "network": figure.network,
        "better": figure.better,
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "n": figure.items,
        "resampled": [float(f"{value:.{_DIGITS}g}") for value in figure.resampled],
    }


def as_figure(found: WrittenFigure) -> Figure:
    """The inverse of :func:`written`."""
    return Figure(
        found["name"],
        found["network"],
        found["better"],
        found["value"],
        found["low"],
        found["high"],
        found["n"],
        tuple(found["resampled"]),
    )
