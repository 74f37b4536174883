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
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sound2scene.data.pairs import Source, Splits, folder_jobs, held_out
from sound2scene.types import InputError

# On which Sound2Scene trains and is measured (its `samples/categories.txt`).
PUBLISHED_50 = (
    "airplane flyby", "ambulance siren", "baby crying", "baby laughter", "car engine idling", "cat purring",
    "chainsawing trees", "church bell ringing", "train whistling", "train horning", "cow lowing", "dog barking",
    "elk bugling", "fire truck siren", "gibbon howling", "hail", "lawn mowing", "volcano explosion",
    "stream burbling", "waterfall burbling", "orchestra", "owl hooting", "people cheering", "people crowd",
    "people marching", "playing bassoon", "playing drum kit", "playing harp", "playing harpsichord",
    "playing snare drum", "playing timbales", "printer printing", "scuba diving", "sea waves", "sheep bleating",
    "singing choir", "skiing", "slot machine", "snake hissing", "tractor digging", "underwater bubbling",
    "railroad car, train wagon", "train wheels squealing", "baltimore oriole calling", "car engine knocking",
    "driving snowmobile", "wood thrush calling", "hedge trimmer running", "ice cream truck, ice cream van",
    "woodpecker pecking tree",
)  # fmt: skip

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
        InputError: If the file cannot be read, a line has other columns, or a clip stands twice, in one split or both.
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
        raise InputError(f"{path}: {len(doubles)} clips stand twice: {', '.join(doubles[:10])}; keep one line of each")
    return table


def _lines(path: str | Path) -> list[str]:
    """Lines of a text file, gzipped or not."""
    try:
        data = Path(path).read_bytes()
        return (gzip.decompress(data) if str(path).endswith(".gz") else data).decode().splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); check the path, or copy it again") from None


def read_classes(path: str | Path) -> list[str]:
    """Class names of a file, one per line (blank lines and `#` lines are skipped), or the published ones for `50`."""
    if str(path) == "50":
        return list(PUBLISHED_50)
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
) -> Source:
    """Jobs of a folder of VGGSound pictures and sounds in the official splits, and how much of the data set they cover.

    Args:
        folder: With `images/` and `audios/`; names in any spelling.
        table: From :func:`read_table`.
        classes: Take only clips of these; None takes all.
        val_share: Share of the training videos held out.

    Raises:
        InputError: If a class is not in the table, or a name is not VGGSound's or not in the table.
    """
    # Pictures and sounds may come in different spellings of one name.
    found = folder_jobs(folder, 0.0, spelling=lambda name: ClipName.parse(name).in_ms())
    jobs = {ClipName.parse(job["name"]): job for split in found.values() for job in split}
    if strangers := [job["name"] for name, job in jobs.items() if name not in table]:
        raise InputError(f"{strangers[0]}: not in the table; remove it or use the table it belongs to")
    halves = {name for name, job in jobs.items() if not (job["image"] and job["sound"])}
    return in_official_splits(jobs, table, classes, val_share, halves)


def in_official_splits(
    jobs: Mapping[ClipName, dict[str, Any]],
    table: Mapping[ClipName, Row],
    classes: Collection[str] | None,
    val_share: float,
    halves: Collection[ClipName] = (),
) -> Source:
    """Jobs of clips of the table in its splits, with their keys and labels.

    Validation is held out of `train` by whole videos, so that neither the test split nor a training clip picks a
    checkpoint. The table itself has six videos with clips in both `train` and `test`; no clip is in both.

    Args:
        jobs: Of clips that are in the table.
        table: From :func:`read_table`.
        classes: Take only clips of these; None takes all.
        val_share: Share of the training videos held out.
        halves: Clips of which not everything was found.

    Returns:
        Jobs, found and expected clips per official split, the number of clips outside `classes`, and missing clips.

    Raises:
        InputError: If a class is not in the table.
    """
    check_classes(classes, table)
    expected = {name: row for name, row in table.items() if classes is None or row.label in classes}
    wanted = {name: job for name, job in jobs.items() if name in expected}
    val = held_out((name.video for name in wanted if table[name].split == "train"), val_share)
    splits: Splits = {"train": [], "val": [], "test": []}
    for name, job in wanted.items():
        label, split = table[name]
        split = "val" if split == "train" and name.video in val else split
        splits[split].append(job | {"key": name.in_ms(), "label": label})
    missing: dict[str, list[str]] = {"train": [], "test": []}
    for name in sorted(expected.keys() - wanted.keys()):
        missing[table[name].split].append(name.in_ms())
    found = Counter(table[name].split for name in wanted.keys() - set(halves))
    whole = Counter(row.split for row in expected.values())
    counted = {split: {"found": found[split], "expected": whole[split]} for split in ("train", "test")}
    notes = {"coverage": counted, "outside_classes": len(jobs) - len(wanted)}
    return Source(splits, notes, missing, {})
