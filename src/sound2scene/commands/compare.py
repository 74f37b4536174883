"""Put results of `evaluate` side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from sound2scene.commands.parser import Command, Option, UsageError

if TYPE_CHECKING:
    from sound2scene.evaluation.comparison import Table

SUFFIXES = (".md", ".csv", ".tex")
Section = tuple[str, list[str], list[list[str]], list[str]]


def compare(
    results: Annotated[list[Path], Option(metavar="RESULT")],
    *,
    output: Annotated[Path | None, Option("-o", "--output", writes=True)] = None,
    base: str | None = None,
    published: bool = False,
) -> int:
    """Print a table of results, methods as rows; results of other protocols get a table of their own.

    Args:
        results: Result files of `evaluate`.
        output: File to write the tables to: .md, .csv or .tex.
        base: Method from which the others' paired differences are told, each with its 95 % interval and p.
        published: Also the figures that the paper states, apart, since it states no protocol.
    """
    from sound2scene import files
    from sound2scene.evaluation.comparison import tables_of
    from sound2scene.evaluation.result import read
    from sound2scene.tables import aligned

    if output is not None and output.suffix not in SUFFIXES:
        raise UsageError(
            f"--output {output}: ends in none of {', '.join(SUFFIXES)}; see `sound2scene compare --help`"
        )
    tables = tables_of([(str(path), read(path)) for path in results])
    sections = [section for table in tables for section in _sections(table, base)]
    sections += _published() if published else []
    if len(tables) > 1:
        print(f"{len(tables)} protocols or sets of clips among the results: their figures do not compare")
    for about, head, rows, notes in sections:
        print("\n".join([about, aligned(head, rows), *notes, ""]))
    if output is not None:
        files.make_folder(output.parent)
        files.write(output, _text(output.suffix, sections))
        print(f"{output}: the same")
    return 0


def _sections(table: Table, base: str | None) -> list[Section]:
    from sound2scene.evaluation import comparison

    head = comparison.head(table)
    found: list[Section] = [(table.about, head, comparison.cells(table), table.notes)]
    if base is not None:
        rows = comparison.differences(table, base)
        about = f"difference to {base} on the same clips: [95 % interval], p by a paired bootstrap"
        found.append((about, head, rows, []))
    return found


def _published() -> list[Section]:
    from sound2scene.evaluation.comparison import published_rows
    from sound2scene.evaluation.published import tables

    return [
        (f"published: {table['about']} ({table['source']})", *published_rows(table), [table["protocol"]])
        for table in tables()
    ]


def _text(suffix: str, sections: Sequence[Section]) -> str:
    from sound2scene import tables

    if suffix == ".csv":
        parts = [
            tables.comma_separated(["table", *head], [[about, *row] for row in rows])
            for about, head, rows, _ in sections
        ]
    elif suffix == ".tex":
        parts = [
            "\n".join([*(f"% {line}" for line in (about, *notes)), tables.latex(head, rows)])
            for about, head, rows, notes in sections
        ]
    else:
        parts = [
            "\n".join([f"{about}\n", tables.markdown(head, rows), *(f"{note}\n" for note in notes)])
            for about, head, rows, notes in sections
        ]
    return "\n".join(parts)


COMMAND: Command = compare
