"""The table of a run: figures under names a reader knows, with chance, number of clips and protocol."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sound2scene import tables

# Figures by the name under which they are logged, without what is behind `/` or a suffix of `SOURCES`.
NAMES = {
    "fid": "FID",
    "kid": "KID",
    "inception_score": "inception score",
    "judged_as_label": "taken for its class by the judge",
    "neighbour_accuracy": "class of the nearest neighbours",
    "effective_rank": "effective rank of the features",
    "accuracy": "accuracy",
    "top1_inside": "best moment inside the true interval",
    "middle_inside": "middle moment inside the true interval",
    "random_inside": "random moment inside the true interval",
    "ciou_at_50": "cIoU at 0.5",
    "ciou_auc": "area under the cIoU curve",
    "kinds_right": "shows the right kinds and no others",
    "number_right": "shows the right number of objects",
    "both_shown": "shows both of two sources",
    "background_right": "shows the right background",
    "diameter_r2": "diameter, R² of read and true",
    "height_r2": "height, R² of read and true",
    "left_right_r2": "left-right, R² of read and true",
    "diameter_rank": "diameter, rank correlation of read and true",
    "height_rank": "height, rank correlation of read and true",
    "left_right_rank": "left-right, rank correlation of read and true",
    "probe_diameter_r2": "diameter in the features, R² of a two-layer probe",
    "probe_height_r2": "height in the features, R² of a two-layer probe",
    "probe_left_right_r2": "left-right in the features, R² of a two-layer probe",
}
SOURCES = {
    "_from_z_image": "from true z_image (ceiling)",
    "_of_class_means": "of the mean picture of each class (floor)",
}
_PROTOCOL = re.compile(r"n(?P<count>\d+)_(?P<reference>[a-z]+)_(?P<network>.+)")
_RECALL = re.compile(r"(?P<level>\w+)/(?P<direction>\w+)/recall_at_(?P<k>\d+)")
_HEAD = ("figure", "value", "chance", "ceiling", "floor", "N", "protocol")


class Row(NamedTuple):
    """A figure of the table.

    Attributes:
        name: What it is.
        value: Its value.
        chance: What guessing gives; None where that has no meaning.
        ceiling: The same figure of pictures from true z_image; None where the run does not know it.
        floor: That of the mean picture of each class, which may be over fewer pictures; None likewise.
        clips: Number N of clips or pictures it is over; None where the run does not know it.
        protocol: Reference set and network, where it depends on them.
    """

    name: str
    value: float
    chance: float | None = None
    ceiling: float | None = None
    floor: float | None = None
    clips: int | None = None
    protocol: str = ""

    def cells(self) -> list[str]:
        """Its cells as text; four significant digits."""
        chance = "" if self.chance is None else f"{self.chance:.3f}"
        bounds = ["" if bound is None else f"{bound:.4g}" for bound in (self.ceiling, self.floor)]
        count = "" if self.clips is None else str(self.clips)
        return [self.name, f"{self.value:.4g}", chance, *bounds, count, self.protocol]


def rows_of(figures: Mapping[str, float], clips: int | None = None) -> list[Row]:
    """Rows of the table: recalls first, by level and direction; then the other figures by name.

    A ceiling or floor stands beside its figure, and in a row of its own where that is missing.

    Args:
        figures: Held-out figures by the name under which they are logged (`val/...`, `test/...`).
        clips: Number of clips in the split.
    """
    plain = {name.split("/", 1)[1]: value for name, value in figures.items()}
    recalls: list[tuple[tuple[str, str, int], Row]] = []
    others: dict[tuple[str, str], dict[str, Row]] = {}
    for name, value in plain.items():
        if found := _RECALL.fullmatch(name):
            level, direction, k = found["level"], found["direction"], int(found["k"])
            title = f"{level} recall at {k}, {direction.replace('_', ' ')}"
            row = Row(title, value, plain.get(f"{level}/chance_at_{k}"), clips=clips)
            recalls.append(((level, direction, k), row))
        elif "/chance_at_" not in name and name != "chance":
            row, suffix = _other(name, value, plain, clips)
            base, _, rest = name.partition("/")
            others.setdefault((base.removesuffix(suffix), row.protocol or rest), {})[suffix] = row
    rest_of_rows = [row for found in others.values() for row in _one(found)]
    rest_of_rows.sort(key=lambda row: (row.name, row.protocol))
    return [row for _, row in sorted(recalls)] + rest_of_rows


def _one(found: Mapping[str, Row]) -> list[Row]:
    """A figure with its ceiling and floor beside it."""
    if "" not in found:
        return list(found.values())
    ceiling, floor = (row.value if (row := found.get(suffix)) else None for suffix in SOURCES)
    return [found[""]._replace(ceiling=ceiling, floor=floor)]


def title_of(name: str) -> str:
    """Name of a figure for readers, from the one under which it is logged (`val/...`)."""
    return rows_of({name: 0.0})[0].name


def _other(name: str, value: float, plain: Mapping[str, float], clips: int | None) -> tuple[Row, str]:
    """Row of a figure that is no recall, and its suffix of `SOURCES` or none."""
    base, _, rest = name.partition("/")
    suffix = next((suffix for suffix in SOURCES if base.endswith(suffix)), "")
    known = base.removesuffix(suffix)
    title = f"{NAMES.get(known, known.replace('_', ' '))} {SOURCES.get(suffix, '')}".rstrip()
    protocol = _PROTOCOL.fullmatch(rest)
    if protocol is None:
        chance = plain.get("chance") if known == "accuracy" else None
        return Row(title + (f", {rest}" if rest else ""), value, chance, clips=clips), suffix
    network = protocol["network"].replace("_", " ")
    # A reader compares each picture with its own truth, other networks sets of pictures with real ones.
    against = protocol["reference"] if network.startswith("reader") else f"real {protocol['reference']}"
    about = f"{against}, {network}"
    return Row(title, value, clips=int(protocol["count"]), protocol=about), suffix


def markdown(rows: Sequence[Row]) -> str:
    """The table in Markdown; columns that no row fills are left out."""
    return tables.markdown(*_filled(rows)).removesuffix("\n")


def bounds_explained(rows: Sequence[Row]) -> str:
    """What the bounds in a table mean, in one line; empty where it has none."""
    named = {"ceiling": "of the pictures from true z_image", "floor": "of the mean picture of each class"}
    there = [name for name in named if any(getattr(row, name) is not None for row in rows)]
    return "; ".join(f"{name}: {named[name]}" for name in there)


def comma_separated(rows: Sequence[Row]) -> str:
    """The table as CSV, with values in full."""
    full = (["" if value is None else value for value in row] for row in rows)
    return tables.comma_separated(_HEAD, full)


def latex(rows: Sequence[Row]) -> str:
    """The table as a LaTeX tabular (of the package booktabs); columns that no row fills are left out."""
    return tables.latex(*_filled(rows))


def _filled(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    kept = [column for column in range(len(_HEAD)) if any(row.cells()[column] for row in rows)]
    return [_HEAD[column] for column in kept], [[row.cells()[column] for column in kept] for row in rows]
