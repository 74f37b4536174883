"""Pictures and sounds that lie in folders or stand in a manifest, as jobs for shards.

Three layouts: `images/<name>.jpg` with `audios/<name>.wav` (the published training folder), the same below
one folder per class, and a CSV manifest with the columns file, modality (audio or image), class, split and
optionally group.
"""

from __future__ import annotations

import csv
import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sound2scene import audio, images
from sound2scene.data.shards.write import safe_key
from sound2scene.types import Clip, InputError, Rejected

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


Splits = dict[str, list[dict[str, Any]]]


class Source(NamedTuple):
    """What is to be made of a source of clips, and what of it cannot be.

    Attributes:
        splits: Jobs of each split.
        notes: For `dataset.json`: `coverage`, the clips found and expected in each split of the source, and
            others.
        missing: Keys of each split that should be there.
        strays: Files that are no clips of the source, by kind.
    """

    splits: Splits
    notes: dict[str, Any]
    missing: dict[str, list[str]]
    strays: dict[str, list[str]]


def held_out(names: Iterable[str], share: float) -> set[str]:
    """A fixed choice of `share` of the names, by hash: the same whatever else is there, at least one of two or more."""
    ordered = sorted(set(names), key=lambda name: hashlib.sha256(name.encode()).digest())
    count = round(share * len(ordered))
    return set(ordered[: max(count, 1) if share > 0 and len(ordered) > 1 else count])


def make_pair(job: dict[str, Any]) -> Clip | Rejected:
    """Read a job's picture and sound; a missing half or an unreadable file rejects the clip."""
    for half in ("image", "sound"):
        if job[half] is None:
            return Rejected(job["key"], f"no {half} of that name", f"no_{half}")
    picture = Path(job["image"])
    try:
        data = picture.read_bytes()
    except OSError as error:
        raise InputError(f"{picture}: cannot be read ({error.strerror}); check the path") from None
    decoded = images.decode_jpeg(data, str(picture))
    # A JPEG goes in as it is; encoding it again would lose detail for nothing. Its suffix may lie.
    jpeg = data if data.startswith(b"\xff\xd8\xff") else images.encode_jpeg(decoded)
    waveform_T = audio.load(job["sound"])
    return Clip(
        job["key"],
        jpeg,
        waveform_T,
        None,
        job["label"],
        {"image": picture.name, "sound": Path(job["sound"]).name},
    )


def folder_jobs(
    folder: str | Path, val_share: float = 0.1, test_share: float = 0.0, spelling: Callable[[str], str] = str
) -> Splits:
    """Jobs of a folder with `images/` and `audios/`, or of one such folder per class.

    Args:
        folder: The folder.
        val_share: Share of the clips held out for validation, chosen by a hash of the name.
        test_share: Share held out for the test.
        spelling: Brings a file's name, without suffix, into the form in which pictures and sounds are
            matched.

    Raises:
        InputError: If neither layout is found, or two pictures or two sounds have one name.
    """
    root = Path(folder)
    named = (
        [(root, None)] if (root / "images").is_dir() else [(sub, sub.name) for sub in sorted(root.glob("*/"))]
    )
    jobs = [job for sub, label in named for job in _paired(sub, label, spelling)]
    if not jobs:
        raise InputError(f"{root}: neither images/ and audios/ nor class folders with them; check the path")
    return shared_out(jobs, val_share, test_share)


def shared_out(jobs: Sequence[dict[str, Any]], val_share: float, test_share: float) -> Splits:
    """Jobs in splits by a hash of their keys; there is no test without a share for it."""
    keys = [job["key"] for job in jobs]
    test = held_out(keys, test_share)
    val = held_out(set(keys) - test, val_share)
    splits: Splits = {split: [] for split in (["train", "val", "test"] if test else ["train", "val"])}
    for job in jobs:
        splits["test" if job["key"] in test else "val" if job["key"] in val else "train"].append(job)
    return splits


def _named(files: Iterable[Path], spelling: Callable[[str], str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(files):
        if path.name.startswith(".") or not path.is_file():
            continue
        name = spelling(path.stem)
        if name in found:
            raise InputError(f"{path}: has the name of {found[name].name}; keep one of the two")
        found[name] = path
    return found


def _paired(folder: Path, label: str | None, spelling: Callable[[str], str]) -> list[dict[str, Any]]:
    pictures = _named((path for path in folder.glob("images/*") if path.suffix.lower() in PICTURES), spelling)
    sounds = _named(folder.glob("audios/*"), spelling)
    prefix = "" if label is None else f"{label}-"
    return [
        {
            "key": safe_key(prefix + name),
            "name": name,
            "image": str(pictures[name]) if name in pictures else None,
            "sound": str(sounds[name]) if name in sounds else None,
            "label": label,
        }
        for name in sorted(pictures.keys() | sounds.keys())
    ]


def manifest_jobs(manifest: str | Path, val_share: float = 0.15, seed: int = 0) -> Splits:
    """Jobs of class-matched, weakly paired pictures and sounds: files of one class are drawn as pairs, inside a split.

    For training and validation every file appears, the rarer half again and again; in the test every sound
    appears exactly once, so that a recall is a mean over sounds. Validation is held out of `train` by whole
    groups.

    Args:
        manifest: CSV with the columns file, modality, class, split (train or test) and, optionally, group.
        val_share: Share of the training groups held out.
        seed: Of the draw.

    Raises:
        InputError: If a column is missing, or a class of a split lacks pictures or sounds.
    """
    path = Path(manifest)
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise InputError(f"{path}: no such manifest; check data.init_args.source") from None
    missing = {"file", "modality", "class", "split"} - rows[0].keys() if rows else {"rows"}
    if missing:
        raise InputError(
            f"{path}: needs the columns file, modality, class, split; missing: {sorted(missing)}"
        )
    groups = {row["file"]: row.get("group") or row["file"] for row in rows}
    val = _held_out_groups(rows, groups, val_share)
    found: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: {"audio": [], "image": []})
    for row in rows:
        if row["modality"] not in ("audio", "image") or row["split"] not in ("train", "test"):
            raise InputError(
                f"{path}: {row['file']}: modality must be audio or image, split train or test; correct it"
            )
        split = "val" if row["split"] == "train" and groups[row["file"]] in val else row["split"]
        found[split, row["class"]][row["modality"]].append(str(path.parent / row["file"]))
    splits: Splits = {"train": [], "val": [], "test": []}
    for (split, label), files in sorted(found.items()):
        if not (files["audio"] and files["image"]):
            raise InputError(
                f"{path}: class {label!r} has no pictures or no sounds in {split}; lower the held-out share"
            )
        splits[split] += _draw(
            files["audio"], files["image"], label, split, random.Random(f"{seed} {split} {label}")
        )
    return splits


def _held_out_groups(rows: list[dict[str, str]], groups: dict[str, str], share: float) -> set[str]:
    """Groups of each class's training sounds and of its pictures; of neither where one of the two cannot spare any."""
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


def _draw(
    sounds: Sequence[str], pictures: Sequence[str], label: str, split: str, rng: random.Random
) -> list[dict[str, Any]]:
    sounds, pictures = rng.sample(sounds, len(sounds)), rng.sample(pictures, len(pictures))
    count = len(sounds) if split == "test" else max(len(sounds), len(pictures))
    jobs = []
    for number in range(count):
        sound, picture = sounds[number % len(sounds)], pictures[number % len(pictures)]
        key = safe_key(f"{label}--{Path(sound).stem}--{Path(picture).stem}")
        jobs.append({"key": key, "image": picture, "sound": sound, "label": label})
    return jobs
