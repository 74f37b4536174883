"""VGGSound: its clip names in every spelling that is in use, its table, and its clips as jobs for shards.

Names (reference: VGGSound `data/`, Sound2Scene `README.md`, SSLalignment `datasets.py`): `<id>_<start ms>_<end ms>`,
`<id>_<6-digit start s>`, `<id>_<start s with three decimals>`, and the table's separate columns. An id has 11
characters and may itself hold `_` and `-`; the published table has lost one of them in a single video.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sound2scene.data.pairs import Splits, folder_jobs, held_out
from sound2scene.types import InputError

_ID = r"(?P<video>[A-Za-z0-9_-]{11}|-21-GT2EIM)"
_SPELLINGS = (
    re.compile(_ID + r"_(?P<ms>[0-9]+)_(?P<end>[0-9]+)"),
    re.compile(_ID + r"_(?P<s>[0-9]{6})"),
    re.compile(_ID + r"_(?P<s>[0-9]+\.[0-9]{3})"),
)


class ClipName(NamedTuple):
    """A 10 s clip of a video.

    Attributes:
        video: YouTube id.
        start_ms: Where it starts.
    """

    video: str
    start_ms: int

    @classmethod
    def parse(cls, name: str) -> ClipName:
        """From any spelling, without a file suffix.

        Raises:
            InputError: If it is none of them.
        """
        for spelling in _SPELLINGS:
            if match := spelling.fullmatch(name):
                parts = match.groupdict()
                start_ms = int(parts["ms"]) if "ms" in parts else round(float(parts["s"]) * 1000)
                if int(parts.get("end", start_ms + 1)) <= start_ms:
                    break
                return cls(parts["video"], start_ms)
        raise InputError(f"{name!r}: not a VGGSound name; expected <id>_<start ms>_<end ms> or <id>_<6-digit start s>")

    def in_ms(self) -> str:
        """`<id>_<start ms>_<end ms>`, as in the published annotation of moments; a clip lasts 10 s."""
        return f"{self.video}_{self.start_ms}_{self.start_ms + 10_000}"

    def in_s(self) -> str:
        """`<id>_<6-digit start s>`, as in VGGSound's own files.

        Raises:
            InputError: If the clip does not start at a whole second.
        """
        if self.start_ms % 1000:
            raise InputError(f"{self.in_ms()} does not start at a whole second; it has no name of that spelling")
        return f"{self.video}_{self.start_ms // 1000:06d}"


class Row(NamedTuple):
    """What the table says of a clip: its class and its official split, `train` or `test`."""

    label: str
    split: str


def read_table(path: str | Path) -> dict[ClipName, Row]:
    """VGGSound's table, `vggsound.csv` or the same gzipped: id, start second, label, split; no header.

    Raises:
        InputError: If the file cannot be read, a line has other columns, or a clip stands twice.
    """
    table: dict[ClipName, Row] = {}
    for number, line in enumerate(csv.reader(_lines(path)), 1):
        if len(line) != 4 or not re.fullmatch("[0-9]+", line[1]) or line[3] not in ("train", "test"):
            raise InputError(f"{path}:{number}: expected id, start second, label, train|test, found {line}")
        name = ClipName(line[0], int(line[1]) * 1000)
        if name in table:
            raise InputError(f"{path}:{number}: {name.in_s()} stands twice; keep one line")
        table[name] = Row(line[2], line[3])
    return table


def _lines(path: str | Path) -> list[str]:
    """Lines of a text file, gzipped or not."""
    try:
        data = Path(path).read_bytes()
        return (gzip.decompress(data) if str(path).endswith(".gz") else data).decode().splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); check the path, or copy it again") from None


def read_classes(path: str | Path) -> list[str]:
    """Class names, one per line (as in the published `categories.txt`); blank lines and `#` lines are skipped."""
    lines = (line.strip() for line in _lines(path))
    return [line for line in lines if line and not line.startswith("#")]


def check_classes(classes: Collection[str] | None, table: Mapping[ClipName, Row]) -> None:
    """Refuse classes that no clip of the table has; None stands for all classes.

    Raises:
        InputError: If there is one.
    """
    if unknown := sorted(set(classes or ()) - {row.label for row in table.values()}):
        raise InputError(f"classes not in the table: {', '.join(unknown)}; check their spelling")


def vggsound_jobs(
    folder: str | Path, table: dict[ClipName, Row], classes: Collection[str] | None = None, val_share: float = 0.05
) -> tuple[Splits, dict[str, Any]]:
    """Jobs of a folder of VGGSound pictures and sounds in the official splits, and how much of the data set they cover.

    Validation is held out of `train` by whole videos, so that neither the test split nor a training clip picks a
    checkpoint.

    Args:
        folder: With `images/` and `audios/`; names in any spelling.
        table: From :func:`read_table`.
        classes: Take only clips of these; None takes all.
        val_share: Share of the training videos held out.

    Returns:
        The jobs by split, and notes: found and expected clips per official split, clips outside `classes`.

    Raises:
        InputError: If a class is not in the table, or a name is not VGGSound's or not in the table.
    """
    check_classes(classes, table)
    # Pictures and sounds may come in different spellings of one name.
    found = folder_jobs(folder, 0.0, spelling=lambda name: ClipName.parse(name).in_ms())
    jobs = [job for split in found.values() for job in split]
    rows: list[tuple[dict[str, Any], ClipName, Row]] = []
    for job in jobs:
        name = ClipName.parse(job["name"])
        if name not in table:
            raise InputError(f"{job['name']}: not in the table; remove it or use the table it belongs to")
        rows.append((job, name, table[name]))
    wanted = [entry for entry in rows if classes is None or entry[2].label in classes]
    val = held_out((name.video for _, name, row in wanted if row.split == "train"), val_share)
    splits: Splits = {"train": [], "val": [], "test": []}
    for job, name, row in wanted:
        split = "val" if row.split == "train" and name.video in val else row.split
        splits[split].append(job | {"key": name.in_ms(), "label": row.label})
    return splits, {"coverage": _coverage(wanted, table, classes), "outside_classes": len(rows) - len(wanted)}


def _coverage(
    wanted: Iterable[tuple[Any, ClipName, Row]], table: dict[ClipName, Row], classes: Collection[str] | None
) -> dict[str, dict[str, int]]:
    found = Counter(row.split for job, _, row in wanted if job["image"] and job["sound"])
    expected = Counter(row.split for row in table.values() if classes is None or row.label in classes)
    return {split: {"found": found[split], "expected": expected[split]} for split in ("train", "test")}
