"""VGGSound's table, and the classes that are taken of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from sound2scene.data.corpora.tables import read_cells, read_text, split_of
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
        path: `vggsound.csv`, plain or gzipped: id, start second, label, split, with or without a heading.

    Raises:
        InputError: If the file cannot be read, a line has other columns, or a clip stands twice, in one split
            or both.
    """
    table: dict[ClipName, Row] = {}
    doubles: list[str] = []
    for number, (where, line) in enumerate(read_cells(path)):
        if number == 0 and len(line) == 4 and not re.search("[0-9]", line[1]) and line[3].lower() == "split":
            continue
        if len(line) != 4 or not re.fullmatch("[0-9]{1,9}", line[1]):
            found = " ".join(str(line).split())[:200]
            raise InputError(f"{where}: expected id, start second, label, train|test, found {found}; mend it")
        name = ClipName(line[0], int(line[1]) * 1000)
        split = split_of(line[3], where, ("train", "test"))
        if name in table:
            line_number = where.rpartition(":")[2]
            doubles.append(f"{name.in_s()} ({table[name].split}; line {line_number}: {split})")
        table[name] = Row(line[2], split)
    if not table:
        raise InputError(f"{path}: no clip in it; check the path")
    if doubles:
        raise InputError(
            f"{path}: {len(doubles)} clips stand twice: {', '.join(doubles[:10])}; keep one line of each"
        )
    return table


def read_classes(path: str | Path) -> list[str]:
    """Class names of a file.

    Args:
        path: File with one name per line (blank lines and `#` lines are skipped), or `50` for the published
            ones.

    Raises:
        InputError: If the file cannot be read, or names none.
    """
    if str(path) == "50":
        return list(PUBLISHED_50)
    lines = (line.strip() for line in read_text(path).splitlines())
    found = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not found:
        raise InputError(f"{path}: no class in it; name one per line")
    return found


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
