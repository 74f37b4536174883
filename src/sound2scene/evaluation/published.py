"""Figures that papers state, with their source; they stand apart from ours, as no protocol is published."""

from __future__ import annotations

from importlib.resources import files
from typing import TypedDict

from sound2scene.records import Record


class PublishedRow(TypedDict):
    """A method and its figures by name, shares between 0 and 1."""

    method: str
    figures: dict[str, float]


class PublishedTable(TypedDict):
    """A table of a paper.

    Attributes:
        about: Data that it is about.
        source: Paper and table.
        protocol: What is stated of how it was measured.
        rows: Its rows, in their order.
    """

    about: str
    source: str
    protocol: str
    rows: list[PublishedRow]


class _Published(TypedDict):
    tables: list[PublishedTable]


_RECORD = Record(_Published, "install the package again", 1)


def tables() -> list[PublishedTable]:
    """All tables that this package knows."""
    text = files("sound2scene.evaluation").joinpath("published.json").read_bytes()
    return _RECORD.parse(text, "published.json")["tables"]
