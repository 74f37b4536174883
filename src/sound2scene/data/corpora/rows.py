"""Pairs of a CSV with one picture and its sound in each row, as jobs for shards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sound2scene.data.corpora.corpus import Jobs, check_shares, held_out, refuse_clashes
from sound2scene.data.corpora.pairs import PairJob
from sound2scene.data.corpora.tables import TableRow, read_cells, read_rows, split_of
from sound2scene.data.shards.shard import safe_key
from sound2scene.types import InputError

COLUMNS, OPTIONAL = ("audio", "image", "label"), ("key", "split")


def has_rows_of_pairs(manifest: str | Path) -> bool:
    """Whether a CSV has a pair in each row, by its heading; else a file in each row is expected."""
    _, heading = next(read_cells(manifest), ("", []))
    return {"audio", "image"} <= {name.lower() for name in heading}


def row_jobs(manifest: str | Path, val_share: float) -> Jobs[PairJob]:
    """Jobs of the rows of a CSV; rows that share a sound or a picture are in one split.

    Args:
        manifest: CSV with the columns audio, image and label and, optionally, key and split (train, val or
            test). Files are named relative to the folder of the CSV.
        val_share: Share of the training rows held out for validation, as far as the table has no split `val`;
            rows that hang together count as one.

    Raises:
        InputError: If the table cannot be read, a row lacks a cell, two rows have one key, rows of one sound
            or picture are in two splits, or the share is none.
    """
    check_shares(val_share)
    path = Path(manifest)
    rows = read_rows(path, COLUMNS, OPTIONAL)
    for where, cells in rows:
        if lacking := [name for name in COLUMNS if not cells[name]]:
            raise InputError(f"{where}: has no {' and no '.join(lacking)}; complete or remove the row")
    jobs = [_job(path.parent, row.cells) for row in rows]
    refuse_clashes((job["key"], row.where) for job, row in zip(jobs, rows, strict=True))
    groups = _groups(rows)
    given = _splits(rows, groups)
    val = (
        set[str]()
        if "val" in given.values()
        else held_out([group for group in groups if given.get(group, "train") == "train"], val_share)
    )
    splits: Jobs[PairJob] = {"train": [], "val": []}
    for job, group in zip(jobs, groups, strict=True):
        split = "val" if group in val else given.get(group, "train")
        splits.setdefault(split, []).append(job)
    return splits


def _job(folder: Path, cells: Mapping[str, str]) -> PairJob:
    key = cells["key"] or f"{Path(cells['audio']).stem}--{Path(cells['image']).stem}"
    return {
        "key": safe_key(key),
        "label": cells["label"],
        "image": str(folder / cells["image"]),
        "sound": str(folder / cells["audio"]),
    }


def _groups(rows: list[TableRow]) -> list[str]:
    """A name for each row that it shares with all rows that hang together by sounds or pictures."""
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while above.setdefault(name, name) != name:
            name = above[name]
        return name

    for row in rows:
        one, other = sorted((top(f"audio {row.cells['audio']}"), top(f"image {row.cells['image']}")))
        above[other] = one
    return [top(f"audio {row.cells['audio']}") for row in rows]


def _splits(rows: list[TableRow], groups: list[str]) -> dict[str, str]:
    """The split of each group, where the table has splits."""
    found: dict[str, str] = {}
    if not any(row.cells["split"] for row in rows):
        return found
    for row, group in zip(rows, groups, strict=True):
        split = split_of(row.cells["split"], row.where)
        if found.setdefault(group, split) != split:
            raise InputError(
                f"{row.where}: its sound or picture is in {found[group]} and in {split}; keep it in one split"
            )
    return found
