"""VGGSound's table, and the classes that are taken of it."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from sound2scene.data.vggsound.names import ClipName
from sound2scene.types import InputError

# On which Sound2Scene trains and is measured (its `samples/categories.txt`).
PUBLISHED_50 = (
    "airplane flyby",
    "ambulance siren",
    "baby crying",
    "baby laughter",
    "car engine idling",
    "cat purring",
    "chainsawing trees",
    "church bell ringing",
    "train whistling",
    "train horning",
    "cow lowing",
    "dog barking",
    "elk bugling",
    "fire truck siren",
    "gibbon howling",
    "hail",
    "lawn mowing",
    "volcano explosion",
    "stream burbling",
    "waterfall burbling",
    "orchestra",
    "owl hooting",
    "people cheering",
    "people crowd",
    "people marching",
    "playing bassoon",
    "playing drum kit",
    "playing harp",
    "playing harpsichord",
    "playing snare drum",
    "playing timbales",
    "printer printing",
    "scuba diving",
    "sea waves",
    "sheep bleating",
    "singing choir",
    "skiing",
    "slot machine",
    "snake hissing",
    "tractor digging",
    "underwater bubbling",
    "railroad car, train wagon",
    "train wheels squealing",
    "baltimore oriole calling",
    "car engine knocking",
    "driving snowmobile",
    "wood thrush calling",
    "hedge trimmer running",
    "ice cream truck, ice cream van",
    "woodpecker pecking tree",
)


class Row(NamedTuple):
    """What the table says of a clip.

    Attributes:
        label: Class of the clip.
        split: Official split, `train` or `test`.
    """

    label: str
    split: str


def read_table(path: str | Path) -> dict[ClipName, Row]:
    """VGGSound's table.

    Args:
        path: `vggsound.csv`, plain or gzipped: id, start second, label, split; no header.

    Raises:
        InputError: If the file cannot be read, a line has other columns, or a clip stands twice, in one split
            or both.
    """
    table: dict[ClipName, Row] = {}
    doubles: list[str] = []
    for number, line in enumerate(csv.reader(_lines(path)), 1):
        if len(line) != 4 or not re.fullmatch("[0-9]+", line[1]) or line[3] not in ("train", "test"):
            raise InputError(f"{path}:{number}: expected id, start second, label, train|test, found {line}")
        name = ClipName(line[0], int(line[1]) * 1000)
        if name in table:
            doubles.append(f"{name.in_s()} ({table[name].split}; line {number}: {line[3]})")
        table[name] = Row(line[2], line[3])
    if doubles:
        raise InputError(
            f"{path}: {len(doubles)} clips stand twice: {', '.join(doubles[:10])}; keep one line of each"
        )
    return table


def _lines(path: str | Path) -> list[str]:
    """Lines of a text file, gzipped or not."""
    try:
        data = Path(path).read_bytes()
        return (gzip.decompress(data) if str(path).endswith(".gz") else data).decode().splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); check the path, or copy it again") from None


def read_classes(path: str | Path) -> list[str]:
    """Class names of a file.

    Args:
        path: File with one name per line (blank lines and `#` lines are skipped), or `50` for the published
            ones.

    Raises:
        InputError: If the file cannot be read.
    """
    if str(path) == "50":
        return list(PUBLISHED_50)
    lines = (line.strip() for line in _lines(path))
    return [line for line in lines if line and not line.startswith("#")]


def check_classes(classes: Collection[str] | None, table: Mapping[ClipName, Row]) -> None:
    """Refuse classes that no clip of the table has.

    Args:
        classes: Class names; None stands for all.
        table: Table from :func:`read_table`.

    Raises:
        InputError: If there is one.
    """
    if unknown := sorted(set(classes or ()) - {row.label for row in table.values()}):
        raise InputError(f"classes not in the table: {', '.join(unknown)}; check their spelling")
