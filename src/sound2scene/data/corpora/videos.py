"""Folders of videos as jobs for shards: VGGSound's in its official splits, and any other's by class folder or a table.

Which moment of a video becomes the picture is said by a selection, or is the middle or a random one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from sound2scene.data.corpora.labels import Labelled
from sound2scene.data.corpora.pairs import Source, Splits, held_out, shared_out
from sound2scene.data.selection.choice import MomentChoice
from sound2scene.data.shards.write import safe_key
from sound2scene.data.video.find import find_videos
from sound2scene.types import InputError


def folder_videos(
    folder: str | Path,
    moments: MomentChoice,
    labels: Mapping[str, Labelled] | Literal["folders"] | None = None,
    shares: tuple[float, float] = (0.1, 0.0),
    classes: Collection[str] | None = None,
) -> Source:
    """Jobs of any folder of videos, searched recursively; clips are named after their paths.

    Args:
        folder: Of the videos.
        moments: Which become pictures.
        labels: From :func:`~sound2scene.data.labels.read_labels`; `folders`: the first folder of a path is
            its class;
            None: no labels.
        shares: Of the clips held out for validation and test, by a hash of the name, as far as `labels` has
            no splits.
        classes: Take only clips of these; None takes all. The others are strays of kind `outside_classes`.

    Raises:
        InputError: If there are no videos, or none of the classes.
    """
    table = labels if isinstance(labels, Mapping) else {}
    jobs: list[dict[str, Any]] = []
    outside: list[str] = []
    for name, path in find_videos(folder).items():
        first, slash, _ = name.partition("/")
        label = (first if slash else None) if labels == "folders" else table.get(name, Labelled(None)).label
        if classes is not None and label not in classes:
            outside.append(path.relative_to(folder).as_posix())
            continue
        jobs.append(moments.job(name, path, {"key": clip_key(name), "label": label}))
    if not jobs:
        raise InputError(
            f"{folder}: no videos of the classes {', '.join(classes or ())}; check the folders' names"
        )
    given = {clip_key(name): entry.split for name, entry in table.items() if entry.split}
    splits = _given_splits(jobs, given, shares[0]) if given else shared_out(jobs, *shares)
    there = {job["key"] for job in jobs}
    missing: dict[str, list[str]] = defaultdict(list)
    for name, entry in table.items():
        if clip_key(name) not in there and (classes is None or entry.label in classes):
            missing["test" if entry.split == "test" else "train"].append(clip_key(name))
    notes = {"coverage": _counted(splits, missing)} | moments.notes()
    return Source(splits, notes, missing, {"outside_classes": outside})


def clip_key(name: str) -> str:
    """The key of the clip of a video of that name."""
    return safe_key(name.replace("/", "-"))


def _given_splits(jobs: list[dict[str, Any]], given: Mapping[str, str], val_share: float) -> Splits:
    """Jobs in the splits of a table, a video that is not in it in `train`; validation is held out if it has none."""
    splits: Splits = {"train": [], "val": [], "test": []}
    train = [job["key"] for job in jobs if given.get(job["key"], "train") == "train"]
    val = set[str]() if "val" in given.values() else held_out(train, val_share)
    for job in jobs:
        splits["val" if job["key"] in val else given.get(job["key"], "train")].append(job)
    return {split: found for split, found in splits.items() if found or split == "train"}


def _counted(splits: Splits, missing: Mapping[str, list[str]]) -> dict[str, dict[str, int]]:
    found = Counter({split: len(jobs) for split, jobs in splits.items()})
    found["train"] += found.pop("val", 0)
    return {
        split: {"found": found[split], "expected": found[split] + len(missing.get(split, ()))}
        for split in sorted(found.keys() | missing.keys(), reverse=True)
    }
