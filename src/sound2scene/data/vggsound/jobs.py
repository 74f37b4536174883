"""VGGSound's clips as jobs for shards, in the official splits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from sound2scene.data.corpora.pairs import Source, Splits, folder_jobs, held_out
from sound2scene.data.selection.choice import MomentChoice
from sound2scene.data.vggsound.names import ClipName, clip_name
from sound2scene.data.vggsound.table import Row, check_classes
from sound2scene.data.video.find import find_videos
from sound2scene.types import InputError


def vggsound_jobs(
    folder: str | Path,
    table: dict[ClipName, Row],
    classes: Collection[str] | None = None,
    val_share: float = 0.05,
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

    Validation is held out of `train` by whole videos, so that neither the test split nor a training clip
    picks a checkpoint. The table itself has six videos with clips in both `train` and `test`; no clip is in
    both.

    Args:
        jobs: Of clips that are in the table.
        table: From :func:`read_table`.
        classes: Take only clips of these; None takes all.
        val_share: Share of the training videos held out.
        halves: Clips of which not everything was found.

    Returns:
        Jobs, found and expected clips per official split, the number of clips outside `classes`, and missing
        clips.

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


def vggsound_videos(
    folder: str | Path,
    table: dict[ClipName, Row],
    moments: MomentChoice,
    classes: Collection[str] | None = None,
    val_share: float = 0.05,
) -> Source:
    """Jobs of a folder of VGGSound's videos, searched recursively, in the official splits.

    Args:
        folder: Of the videos, named in any of VGGSound's spellings; others are strays of kind `not_in_table`.
        table: From :func:`~sound2scene.data.vggsound.read_table`.
        moments: With the spelling :func:`clip_name`.
        classes: Take only clips of these; None takes all.
        val_share: Share of the training videos held out.

    Raises:
        InputError: If two files hold one clip, a class is not in the table, or there is no video at all.
    """
    found: dict[ClipName, list[Path]] = defaultdict(list)
    strays: list[str] = []
    for key, path in find_videos(folder).items():
        spelt = clip_name(key)
        if spelt is None or (name := ClipName.parse(spelt)) not in table:
            strays.append(path.relative_to(folder).as_posix())
        else:
            found[name].append(path)
    if doubles := [paths for paths in found.values() if len(paths) > 1]:
        listed = "; ".join(
            " and ".join(path.relative_to(folder).as_posix() for path in two) for two in doubles[:10]
        )
        raise InputError(f"{folder}: {len(doubles)} clips have two files: {listed}; keep one of each")
    jobs = {
        name: moments.job(name.in_ms(), path, {"key": name.in_ms(), "label": table[name].label})
        for name, (path,) in found.items()
    }
    source = in_official_splits(jobs, table, classes, val_share)
    return source._replace(notes=source.notes | moments.notes(), strays={"not_in_table": strays})
