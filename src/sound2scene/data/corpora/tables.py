"""Tables as editors and spreadsheets leave them: marks, line ends and blanks are no part of a cell."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sound2scene import records
from sound2scene.types import InputError

_LARGEST_BYTES = 1 << 30
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validate": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


class TableRow(NamedTuple):
    """A row of a table with a heading.

    Attributes:
        where: File and line, for messages.
        cells: Text of each column, without blanks around it; empty where the table lacks an optional column.
    """

    where: str
    cells: dict[str, str]


def read_text(path: str | os.PathLike[str]) -> str:
    """A text file, gzipped where its name ends in `.gz`, without a byte-order mark.

    Raises:
        InputError: If it cannot be read, is larger than 1 GiB, no UTF-8, or holds a NUL, which no text does.
    """
    data = records.content(path, "check the path", _LARGEST_BYTES)
    if os.fspath(path).endswith(".gz"):
        try:
            with gzip.open(io.BytesIO(data)) as file:
                data = file.read(_LARGEST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path}: cannot be unpacked ({error}); copy it again") from None
        if len(data) > _LARGEST_BYTES:
            raise InputError(f"{path}: unpacks to more than {_LARGEST_BYTES} bytes; check the path")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"0x{data[error.start]:02x}"
        raise InputError(f"{path}:{line}: no UTF-8 (byte {byte}); save the table as UTF-8") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{path}:{line}: holds a NUL, no text; save the table as UTF-8")
    return text


def read_cells(path: str | os.PathLike[str]) -> Iterator[tuple[str, list[str]]]:
    """Every line of a CSV that is not blank: where it stands, and its cells without blanks around them.

    Raises:
        InputError: If the file cannot be read, or a line is no line of a CSV.
    """
    lines = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    while True:
        where = f"{path}:{lines.line_num + 1}"
        try:
            cells = [cell.strip() for cell in next(lines)]
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(f"{where}: no line of a CSV ({error}); mend its quotation marks") from None
        if any("\n" in cell or "\r" in cell for cell in cells):
            raise InputError(f"{where}: a cell goes over several lines; mend its quotation marks")
        if any(cells):
            yield where, cells


def read_rows(
    path: str | os.PathLike[str], columns: Sequence[str], optional: Sequence[str] = ()
) -> list[TableRow]:
    """The rows below a heading; at least one.

    Args:
        path: The CSV.
        columns: Columns that it must have, in any order.
        optional: Columns that it may have; others are left out.

    Raises:
        InputError: If the file cannot be read, lacks a column or has one twice, or a row has more or fewer
            cells than the heading.
    """
    lines = read_cells(path)
    where, heading = next(lines, (f"{path}:1", []))
    heading = [name.lower() for name in heading]
    needs = f"needs the columns {', '.join(columns)}" + (
        f", and may have {', '.join(optional)}" if optional else ""
    )
    if missing := [name for name in columns if name not in heading]:
        remedy = "add a heading"
        if len(heading) == 1 and any(mark in heading[0] for mark in ";\t|"):
            remedy = "separate the cells by commas"
        raise InputError(f"{where}: {needs}; missing: {', '.join(missing)}; {remedy}")
    wanted = [name for name in (*columns, *optional) if name in heading]
    if doubles := [name for name in wanted if heading.count(name) > 1]:
        raise InputError(f"{where}: the column {doubles[0]} stands twice; remove one")
    rows = []
    for where, cells in lines:
        if len(cells) != len(heading):
            raise InputError(f"{where}: {len(cells)} cells below a heading of {len(heading)}; mend the row")
        found = dict(zip(heading, cells, strict=True))
        rows.append(TableRow(where, {name: found.get(name, "") for name in (*columns, *optional)}))
    if not rows:
        raise InputError(f"{path}: {needs}, and rows below them; add rows")
    return rows


def split_of(text: str, where: str, splits: Sequence[str] = ("train", "val", "test")) -> str:
    """The split that a cell means: `Train`, `training`, `validation`, `dev` and the like are understood.

    Args:
        text: The cell.
        where: File and line, for messages.
        splits: Splits that the table may have.

    Raises:
        InputError: If it means none of them.
    """
    split = _SPLITS.get(text.strip().lower(), "")
    if split not in splits:
        raise InputError(f"{where}: split {text!r} is none of {', '.join(splits)}; correct it")
    return split
