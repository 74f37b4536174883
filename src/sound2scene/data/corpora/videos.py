"""Any folder of videos as jobs for shards, with classes and splits from its folders or from a table."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

from sound2scene.data.corpora.corpus import (
    Corpus,
    Jobs,
    check_shares,
    drawn_as,
    held_out,
    refuse_clashes,
    shared_out,
)
from sound2scene.data.corpora.labels import Labelled, matched
from sound2scene.data.selection.choice import MomentChoice
from sound2scene.data.shards.shard import safe_key
from sound2scene.data.video.clip import VideoJob
from sound2scene.data.video.find import find_videos
from sound2scene.types import InputError


def folder_videos(
    folder: str | Path,
    moments: MomentChoice,
    labels: Mapping[str, Labelled] | Literal["folders"] | None,
    shares: tuple[float, float],
    classes: Collection[str] | None = None,
) -> Corpus[VideoJob]:
    """Jobs of any folder of videos, searched recursively; clips are named after their paths.

    Args:
        folder: Folder of the videos.
        moments: Says which moments become pictures.
        labels: Table from :func:`~sound2scene.data.corpora.labels.read_labels`; `folders` makes the first
            folder of a path its class; None knows no classes.
        shares: Shares of the clips held out for validation and for the test, by a hash of the name, as far as
            `labels` has no splits.
        classes: Classes whose clips are taken, the others are strays of kind `outside_classes`; None takes
            all.

    Raises:
        InputError: If there are no videos, none of the classes, or with `folders` none in a folder; if the
            shares are none, no key of the table names a video, or two videos would have one key.
    """
    check_shares(*shares)
    videos = find_videos(folder)
    table = matched(labels, folder, videos) if isinstance(labels, Mapping) else {}
    jobs: list[VideoJob] = []
    outside: list[str] = []
    for name, path in videos.items():
        first, slash, _ = name.partition("/")
        label = (first if slash else None) if labels == "folders" else table.get(name, Labelled(None)).label
        if classes is not None and label not in classes:
            outside.append(path.relative_to(folder).as_posix())
            continue
        jobs.append(moments.job(name, path, clip_key(name), label))
    if not jobs:
        names = ", ".join(classes or ())
        raise InputError(f"{folder}: no videos of the classes {names}; check the folders' names")
    _say_flat(folder, jobs if labels == "folders" else [])
    refuse_clashes((job["key"], job["video"]) for job in jobs)
    given = {clip_key(name): entry.split for name, entry in table.items() if entry.split}
    splits = _given_splits(jobs, given, shares[0]) if given else shared_out(jobs, *shares)
    there = {job["key"] for job in jobs}
    missing: dict[str, list[str]] = defaultdict(list)
    for name, entry in table.items():
        if clip_key(name) not in there and (classes is None or entry.label in classes):
            missing[entry.split or "train"].append(clip_key(name))
    notes = {"coverage": _counted(splits, missing)} | moments.notes()
    return Corpus(splits, notes, missing, {"outside_classes": outside})


def _say_flat(folder: str | Path, jobs: list[VideoJob]) -> None:
    """Refuse a folder without folders, which would have no class; say how many videos have none."""
    flat = [job["video"] for job in jobs if job["label"] is None]
    if jobs and len(flat) == len(jobs):
        raise InputError(
            f"{folder}: none of its {len(jobs)} videos lies in a folder of its class, as labels `folders` "
            "wants; make a folder for each class, or leave the labels out"
        )
    if flat:
        print(
            f"{folder}: {len(flat)} of {len(jobs)} videos, such as {Path(flat[0]).name}, lie in no folder "
            "and have no class",
            file=sys.stderr,
        )


def clip_key(name: str) -> str:
    """Key of the clip of a video."""
    return safe_key(name.replace("/", "-"))


def _given_splits(jobs: list[VideoJob], given: Mapping[str, str], val_share: float) -> Jobs[VideoJob]:
    """Jobs in the splits of a table; what is not in it trains, and validation is held out if it has none."""
    splits: Jobs[VideoJob] = {"train": [], "val": [], "test": []}
    train = [drawn_as(job["key"]) for job in jobs if given.get(job["key"], "train") == "train"]
    val = set[str]() if "val" in given.values() else held_out(train, val_share)
    for job in jobs:
        split = given.get(job["key"], "train")
        splits["val" if split == "train" and drawn_as(job["key"]) in val else split].append(job)
    return {split: found for split, found in splits.items() if found or split == "train"}


def _counted(splits: Jobs[VideoJob], missing: Mapping[str, list[str]]) -> dict[str, dict[str, int]]:
    found = {split: len(jobs) for split, jobs in splits.items()}
    return {
        split: {"found": found.get(split, 0), "expected": found.get(split, 0) + len(missing.get(split, ()))}
        for split in ("train", "val", "test")
        if split in found or split in missing
    }
