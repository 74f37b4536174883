"""Class-matched, weakly paired pictures and sounds of a CSV manifest, drawn as pairs."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from sound2scene.data.corpora.corpus import Jobs, check_shares, held_out, refuse_clashes
from sound2scene.data.corpora.pairs import PairJob
from sound2scene.data.corpora.tables import read_rows, split_of
from sound2scene.data.shards.shard import safe_key
from sound2scene.seeds import seed_of
from sound2scene.types import InputError


def manifest_jobs(manifest: str | Path, val_share: float, draw_seed: int) -> Jobs[PairJob]:
    """Jobs of pictures and sounds of one class each, drawn as pairs inside a split.

    For training and validation every file appears, the rarer half again and again; in the test every sound
    appears exactly once, so that a recall is a mean over sounds. Validation is held out of `train` by whole
    groups.

    Args:
        manifest: CSV with the columns file, modality (audio or image), class, split (train or test) and,
            optionally, group.
        val_share: Share of the training groups held out for validation.
        draw_seed: Seed of the draw of pairs.

    Raises:
        InputError: If the table cannot be read or a column is missing, the share is none, a class of a split
            lacks pictures or sounds, or two pairs would have one key.
    """
    check_shares(val_share)
    path = Path(manifest)
    rows = _rows(path)
    groups = {row["file"]: row.get("group") or row["file"] for row in rows}
    val = _held_out_groups(rows, groups, val_share)
    found: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: {"audio": [], "image": []})
    for row in rows:
        split = "val" if row["split"] == "train" and groups[row["file"]] in val else row["split"]
        found[split, row["class"]][row["modality"]].append(str(path.parent / row["file"]))
    splits: Jobs[PairJob] = {"train": [], "val": [], "test": []}
    for (split, label), files in sorted(found.items()):
        if not (files["audio"] and files["image"]):
            raise InputError(
                f"{path}: class {label!r} has no pictures or no sounds in {split}; lower the held-out share"
            )
        dice = random.Random(seed_of("pairs", draw_seed, split, label))
        splits[split] += _draw(files, label, split, dice)
    refuse_clashes(
        (job["key"], f"{job['sound']} with {job['image']}") for jobs in splits.values() for job in jobs
    )
    return splits


def _rows(path: Path) -> list[dict[str, str]]:
    rows = read_rows(path, ("file", "modality", "class", "split"), ("group",))
    for where, cells in rows:
        if not cells["file"] or not cells["class"]:
            raise InputError(f"{where}: has no file or no class; complete or remove it")
        cells["modality"] = cells["modality"].lower()
        if cells["modality"] not in ("audio", "image"):
            raise InputError(
                f"{where}: modality must be audio or image, not {cells['modality']!r}; correct it"
            )
        cells["split"] = split_of(cells["split"], where, ("train", "test"))
    return [row.cells for row in rows]


def _held_out_groups(rows: Sequence[Mapping[str, str]], groups: Mapping[str, str], share: float) -> set[str]:
    """Groups of each class's training sounds and of its pictures; of neither where one cannot spare any."""
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        if row["split"] == "train":
            names[row["class"], row["modality"]].add(groups[row["file"]])
    held: set[str] = set()
    for label in sorted({label for label, _ in names}):
        sounds, pictures = (held_out(names[label, half], share) for half in ("audio", "image"))
        if sounds and pictures:
            held |= sounds | pictures
    return held


def _draw(files: Mapping[str, Sequence[str]], label: str, split: str, dice: random.Random) -> list[PairJob]:
    sounds, pictures = (dice.sample(files[half], len(files[half])) for half in ("audio", "image"))
    count = len(sounds) if split == "test" else max(len(sounds), len(pictures))
    jobs: list[PairJob] = []
    for number in range(count):
        sound, picture = sounds[number % len(sounds)], pictures[number % len(pictures)]
        key = safe_key(f"{label}--{Path(sound).stem}--{Path(picture).stem}")
        jobs.append({"key": key, "image": picture, "sound": sound, "label": label})
    return jobs
