"""Results side by side: methods as rows, figures as columns, one protocol at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sound2scene.evaluation.estimates import Figure, apart
from sound2scene.evaluation.published import PublishedTable
from sound2scene.evaluation.result import Result, as_figure
from sound2scene.types import InputError

_DIGITS = {"FID": 2, "KID": 4, "inception score": 2, "CMMD": 3}
_SHORT = {"inception score": "IS", "similarity to the real picture": "to the real picture"}


class Row(NamedTuple):
    """A method of a result."""

    method: str
    figures: dict[tuple[str, str], Figure]
    absent: int


class Table(NamedTuple):
    """Rows of one protocol on the same clips.

    Attributes:
        about: Protocol, data and number of clips.
        columns: Name and network of each figure, in the order of their first appearance.
        rows: The methods.
        notes: What a reader has to know.
    """

    about: str
    columns: list[tuple[str, str]]
    rows: list[Row]
    notes: list[str]


def tables_of(results: Sequence[tuple[str, Result]]) -> list[Table]:
    """A table for each protocol and split among results.

    Args:
        results: Results with the names of their files.

    Raises:
        InputError: If two files have a method of one name under one protocol, with other figures.
    """
    grouped: dict[tuple[str, str, int], list[tuple[str, Result]]] = {}
    for name, result in results:
        data = result["data"]
        same = (result["protocol"]["fingerprint"], data["fingerprint"], data["clips"])
        grouped.setdefault(same, []).append((name, result))
    return [_table(group) for group in grouped.values()]


def _table(group: Sequence[tuple[str, Result]]) -> Table:
    rows: dict[str, Row] = {}
    for name, result in group:
        for method in result["methods"]:
            figures = {(one["name"], one["network"]): as_figure(one) for one in method["figures"]}
            row = Row(method["name"], figures, len(method["absent"]))
            if rows.setdefault(row.method, row) != row:
                raise InputError(
                    f"{name}: method {row.method!r} is in another result, too, with other figures; evaluate "
                    "one of them under another name (NAME=METHOD)"
                )
    first = group[0][1]
    data, protocol = first["data"], first["protocol"]
    left_out = f", {len(data['left_out'])} left out" if data["left_out"] else ""
    about = (
        f"protocol {protocol['name']} ({protocol['fingerprint'][:8]}), {data['clips']} clips of the split "
        f"{data['split']} of {data['shards']}{left_out}"
    )
    columns = list(dict.fromkeys(key for row in rows.values() for key in row.figures))
    seen: dict[str, list[str]] = {}
    for name, network in columns:
        seen.setdefault(network, []).append(_short(name))
    notes = [f"{', '.join(names)}: by {network}" for network, names in seen.items() if network]
    notes += [f"{row.method}: no picture of {row.absent} clips" for row in rows.values() if row.absent]
    return Table(about, columns, list(rows.values()), notes)


def head(table: Table) -> list[str]:
    """Headings of its columns; the arrow says which values are better."""
    return [
        "method",
        *(f"{_short(name)} {_arrow(table, (name, network))}" for name, network in table.columns),
    ]


def cells(table: Table, intervals: bool = True) -> list[list[str]]:
    """Its rows as text.

    Args:
        table: The table.
        intervals: With 95 % intervals.
    """
    return [
        [row.method, *(_cell(row.figures.get(column), intervals) for column in table.columns)]
        for row in table.rows
    ]


def differences(table: Table, base: str) -> list[list[str]]:
    """Paired differences of every other method to one, figure by figure.

    Args:
        table: The table.
        base: Name of that method.

    Raises:
        InputError: If there is no such method.
    """
    known = {row.method: row for row in table.rows}
    if base not in known:
        raise InputError(f"--base {base}: no such method; choose one of {', '.join(known)}")
    return [
        [
            row.method,
            *(_difference(row.figures.get(one), known[base].figures.get(one)) for one in table.columns),
        ]
        for row in table.rows
        if row.method != base
    ]


def published_rows(table: PublishedTable) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a table that a paper states."""
    names = list(dict.fromkeys(name for row in table["rows"] for name in row["figures"]))
    rows = [
        [
            row["method"],
            *(_number(name, row["figures"][name]) if name in row["figures"] else "" for name in names),
        ]
        for row in table["rows"]
    ]
    return ["method", *(_short(name) for name in names)], rows


def _cell(figure: Figure | None, intervals: bool) -> str:
    if figure is None:
        return ""
    text = _number(figure.name, figure.value)
    if not intervals or figure.low is None or figure.high is None:
        return text
    return f"{text} [{_number(figure.name, figure.low)}, {_number(figure.name, figure.high)}]"


def _difference(one: Figure | None, other: Figure | None) -> str:
    found = None if one is None or other is None else apart(one, other)
    if one is None or found is None:
        return ""
    value, low, high = (_number(one.name, number, signed=True) for number in found.estimate[:3])
    return f"{value} [{low}, {high}], p = {found.p:.3f}"


def _number(name: str, value: float, signed: bool = False) -> str:
    digits = _DIGITS.get(name, 3)
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def _short(name: str) -> str:
    return _SHORT.get(name, name.replace("class recall at ", "R@").replace("instance recall at ", "own R@"))


def _arrow(table: Table, column: tuple[str, str]) -> str:
    better = {row.figures[column].better for row in table.rows if column in row.figures}
    return "↓" if better == {"lower"} else "↑"
