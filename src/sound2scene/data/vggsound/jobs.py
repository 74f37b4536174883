"""VGGSound's clips as jobs for shards, in the official splits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sound2scene.data.corpora.corpus import Corpus, check_shares, held_out
from sound2scene.data.corpora.pairs import PairJob, paired
from sound2scene.data.selection.choice import MomentChoice
from sound2scene.data.vggsound.names import ClipName, clip_name
from sound2scene.data.vggsound.table import Row, check_classes
from sound2scene.data.video.clip import VideoJob
from sound2scene.data.video.find import find_videos
from sound2scene.types import InputError


class OfficialSplits(NamedTuple):
    """Clips of the table in its splits.

    Attributes:
        names: Clips of each split that were found.
        notes: Found and expected clips of each official split, and the number of clips outside the classes.
        missing: Clips of each official split that were not found.
    """

    names: dict[str, list[ClipName]]
    notes: dict[str, Any]
    missing: dict[str, list[str]]


def official_splits(
    found: Collection[ClipName],
    table: Mapping[ClipName, Row],
    classes: Collection[str] | None,
    val_share: float,
    halves: Collection[ClipName] = (),
) -> OfficialSplits:
    """Clips of the table in its splits.

    Validation is held out of `train` by whole videos, so that neither the test split nor a training clip
    picks a checkpoint. The table itself has six videos with clips in both `train` and `test`; no clip is in
    both.

    Args:
        found: Clips of the table that are there.
        table: Table from :func:`~sound2scene.data.vggsound.table.read_table`.
        classes: Classes whose clips are taken; None takes all.
        val_share: Share of the training videos held out for validation.
        halves: Clips among them of which something is missing; they do not count as found.

    Raises:
        InputError: If a class is not in the table.
    """
    check_shares(val_share)
    check_classes(classes, table)
    expected = {name: row for name, row in table.items() if classes is None or row.label in classes}
    wanted = [name for name in found if name in expected]
    val = held_out((name.video for name in wanted if table[name].split == "train"), val_share)
    names: dict[str, list[ClipName]] = {"train": [], "val": [], "test": []}
    for name in wanted:
        split = table[name].split
        names["val" if split == "train" and name.video in val else split].append(name)
    missing: dict[str, list[str]] = {"train": [], "test": []}
    for name in sorted(expected.keys() - set(wanted)):
        missing[table[name].split].append(name.in_ms())
    whole = Counter(table[name].split for name in set(wanted) - set(halves))
    every = Counter(row.split for row in expected.values())
    counted = {split: {"found": whole[split], "expected": every[split]} for split in ("train", "test")}
    if names["val"]:  # held out of those that are there; what is missing counts in the table's own split
        held = sum(name not in halves for name in names["val"])
        counted["val"] = {"found": held, "expected": len(names["val"])}
        counted["train"]["found"] -= held
        counted["train"]["expected"] -= len(names["val"])
    counted = {split: counted[split] for split in ("train", "val", "test") if split in counted}
    return OfficialSplits(names, {"coverage": counted, "outside_classes": len(found) - len(wanted)}, missing)


def vggsound_pairs(
    folder: str | Path,
    table: Mapping[ClipName, Row],
    classes: Collection[str] | None,
    val_share: float,
) -> Corpus[PairJob]:
    """Jobs of a folder of VGGSound's pictures and sounds in the official splits.

    Args:
        folder: Folder with `images/` and `audios/`; names in any spelling.
        table: Table from :func:`~sound2scene.data.vggsound.table.read_table`.
        classes: Classes whose clips are taken; None takes all.
        val_share: Share of the training videos held out for validation.

    Raises:
        InputError: If a class is not in the table, or a name is not VGGSound's or not in the table.
    """
    # Pictures and sounds may come in different spellings of one name.
    found = paired(folder, lambda name: ClipName.parse(name).in_ms())
    jobs = {ClipName.parse(job["name"]): job for job in found}
    if strangers := [name.in_ms() for name in jobs if name not in table]:
        raise InputError(f"{strangers[0]}: not in the table; remove it or use the table it belongs to")
    halves = {name for name, job in jobs.items() if not (job["image"] and job["sound"])}
    splits = official_splits(jobs, table, classes, val_share, halves)

    def job(name: ClipName) -> PairJob:
        return {**jobs[name], "key": name.in_ms(), "label": table[name].label}

    wanted = {split: [job(name) for name in names] for split, names in splits.names.items()}
    return Corpus(wanted, splits.notes, splits.missing, {})


def vggsound_videos(
    folder: str | Path,
    table: Mapping[ClipName, Row],
    moments: MomentChoice,
    classes: Collection[str] | None,
    val_share: float,
) -> Corpus[VideoJob]:
    """Jobs of a folder of VGGSound's videos, searched recursively, in the official splits.

    Args:
        folder: Folder of the videos, named in any of VGGSound's spellings; other names are strays of kind
            `not_in_table`.
        table: Table from :func:`~sound2scene.data.vggsound.table.read_table`.
        moments: Says which moments become pictures, by names in the spelling of
            :func:`~sound2scene.data.vggsound.names.clip_name`.
        classes: Classes whose clips are taken; None takes all.
        val_share: Share of the training videos held out for validation.

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
    splits = official_splits(found, table, classes, val_share)

    def job(name: ClipName) -> VideoJob:
        return moments.job(name.in_ms(), found[name][0], name.in_ms(), table[name].label)

    jobs = {split: [job(name) for name in names] for split, names in splits.names.items()}
    return Corpus(jobs, splits.notes | moments.notes(), splits.missing, {"not_in_table": strays})
