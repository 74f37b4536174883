"""Write a dataset: jobs in, shards out, in parallel, resumable, with every rejected clip counted and listed.

A job describes one clip (its files, a moment, what is known of it); the caller's function turns it into a
:class:`~sound2scene.types.Clip`. Shard i holds jobs [i * n, (i + 1) * n), whichever process writes it, so the
bytes do not depend on the number of workers and a killed run goes on at the first unfinished shard. Where
several machines work together, the r-th of n writes shards r, r + n, ... of all, and the first one writes the
rest.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any, TypedDict

from sound2scene.data.shards.card import (
    FORMAT,
    DatasetCard,
    SplitCard,
    differences,
    fingerprint_of,
    read_card,
)
from sound2scene.data.shards.index import Index, Location
from sound2scene.data.shards.report import count_kinds, report_files
from sound2scene.data.shards.shard import JobT, MakeClip, Sidecar, write_shard
from sound2scene.distributed import ALONE, Team
from sound2scene.files import alone, make_folder, sweep, write
from sound2scene.processes import spread
from sound2scene.progress import Bar
from sound2scene.records import Record
from sound2scene.types import CLIP_S, SAMPLE_RATE_HZ, InputError, Rejected


@dataclass(frozen=True)
class Plan:
    """What to write, besides the jobs.

    Attributes:
        name: Name of the dataset.
        classes: Class names in the order of their indices; None takes the labels that occur, sorted.
        clips_per_shard: Jobs per tar.
        workers: Number of processes.
        notes: Anything to stamp into `dataset.json` (coverage, the choice of moments ...).
        missing: Keys that each split of the source should hold and does not, for the report.
        strays: Files of the source that are no clips of it, by kind, for the report.
        team: Who shares the work: every one of them calls :func:`write_dataset`, with the same jobs.
    """

    name: str
    classes: Sequence[str] | None = None
    clips_per_shard: int = 128
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    notes: Mapping[str, Any] = field(default_factory=dict)
    missing: Mapping[str, Sequence[str]] = field(default_factory=dict)
    strays: Mapping[str, Sequence[str]] = field(default_factory=dict)
    team: Team = ALONE


def write_dataset(
    folder: str | Path, splits: Mapping[str, Sequence[JobT]], make_clip: MakeClip[JobT], plan: Plan
) -> Path:
    """Write every split and `dataset.json`, which appears last: without it there is no dataset.

    Args:
        folder: Local target folder.
        splits: Jobs of each split, in order. A job must survive `json.dumps(default=str)` and pickling.
        make_clip: Turns a job into a clip, a function at the top of a module; an InputError or a Rejected
            takes the clip out and is reported.
        plan: Name, classes and sizes of the dataset.

    Returns:
        The target folder. The dataset is whole when the first of a team returns; the others may be earlier.

    Raises:
        InputError: If the folder holds a dataset of other jobs, finished or not, a key stands twice, a label
            is not among the classes, or a team was given different jobs or loses one of its processes.
    """
    root = Path(folder)
    digest = _digest(splits, plan)
    _refuse_unequal(root, digest, plan.team)
    _refuse_others(root, digest, splits, plan)
    if not _is_done(root, plan.team):
        _refuse_doubles(root, (job["key"] for jobs in splits.values() for job in jobs))
        with alone(root / "dataset.json") if plan.team.is_first else nullcontext():
            _refuse_others(root, digest, splits, plan)
            if not _is_done(root, plan.team):  # another process may have been at work meanwhile
                _close(root, _write_shards(root, splits, make_clip, plan, digest), plan, digest)
    if plan.team.is_first:
        _clear(root, splits)
    return root


def _is_done(root: Path, team: Team) -> bool:
    """Whether the dataset is there, as the first one sees it: others may see a shared disk a bit later."""
    return team.of_first((root / "dataset.json").exists())


def _refuse_unequal(root: Path, digest: str, team: Team) -> None:
    if len(set(team.gather([digest]))) > 1:
        raise InputError(
            f"{root}: the machines were told to write different clips, or see different files; give all of "
            "them the same command, and a source on a disk that they share"
        )


def _clear(root: Path, splits: Iterable[str]) -> None:
    """Remove what was needed only while the dataset was made."""
    for sidecar in root.glob("*/*.part.json"):
        sidecar.unlink(missing_ok=True)
    for written in (root, *(root / split for split in splits)):
        sweep(written)


def _close(root: Path, sidecars: Mapping[str, list[Sidecar]], plan: Plan, digest: str) -> None:
    _refuse_doubles(root, (location["key"] for location in _locations(sidecars)))
    if not plan.team.is_first:
        return
    labels = {label for location in _locations(sidecars) if (label := location["label"]) is not None}
    classes = sorted(labels) if plan.classes is None else list(plan.classes)
    if unknown := labels - set(classes):
        raise InputError(f"{root}: labels {sorted(unknown)} are not among the classes given; name them too")
    card: DatasetCard = {
        "format": FORMAT,
        "name": plan.name,
        "classes": classes,
        "sample_rate_hz": SAMPLE_RATE_HZ,
        "clip_s": CLIP_S,
        "jobs": digest,
        "notes": dict(plan.notes),
        "splits": {split: _close_split(root / split, found, classes) for split, found in sidecars.items()},
    }
    rejected = {split: _rejected(found) for split, found in sidecars.items()}
    for name, data in report_files(card, rejected, plan.missing, plan.strays):
        write(root / name, data, sync=True)
    write(root / "dataset.json", json.dumps(card, indent=1), sync=True)


def _locations(sidecars: Mapping[str, list[Sidecar]]) -> Iterator[Location]:
    return (location for found in sidecars.values() for sidecar in found for location in sidecar["rows"])


class _Claim(TypedDict):
    jobs: str


_CLAIM = Record(_Claim, "remove it, or choose another folder")


def _refuse_others(root: Path, digest: str, splits: Mapping[str, Sequence[JobT]], plan: Plan) -> None:
    for claim in (root / "dataset.json", *sorted(root.glob("*/*.part.json"))):
        if claim.exists() and _CLAIM.read(claim)["jobs"] != digest:
            others = ""
            if claim.name == "dataset.json":
                counts = {split: len(jobs) for split, jobs in splits.items()}
                card = read_card(claim.read_bytes(), str(claim))
                found = differences(card, plan.name, plan.classes, plan.notes, counts)
                others = f" ({'; '.join(found) or 'other files, labels, moments or sizes'})"
            raise InputError(
                f"{root}: {claim.name} is of a dataset made from other clips or settings{others}; "
                "remove the folder or choose another one"
            )


def _digest(splits: Mapping[str, Sequence[JobT]], plan: Plan) -> str:
    settings = [
        plan.name,
        None if plan.classes is None else list(plan.classes),
        plan.clips_per_shard,
        dict(plan.notes),
    ]
    sha = hashlib.sha256(json.dumps(settings, default=str).encode())
    for split, jobs in splits.items():
        sha.update(split.encode())
        for job in jobs:
            sha.update(json.dumps(job, default=str, sort_keys=True).encode())
    return sha.hexdigest()


def _write_shards(
    root: Path, splits: Mapping[str, Sequence[JobT]], make_clip: MakeClip[JobT], plan: Plan, digest: str
) -> dict[str, list[Sidecar]]:
    chunks = [
        (split, root / split / f"{number:06d}.tar", jobs[start : start + plan.clips_per_shard])
        for split, jobs in splits.items()
        for number, start in enumerate(range(0, len(jobs), plan.clips_per_shard))
    ]
    own = chunks[plan.team.rank :: plan.team.ranks]
    for split in splits:
        make_folder(root / split)
    found: dict[Path, Sidecar] = {}
    total = sum(len(jobs) for _, _, jobs in own)
    with (
        spread(min(plan.workers, len(own)), [make_clip.__module__]) as each,
        Bar(total, f"shards of {plan.name}", "clip") as bar,
    ):
        _, paths, parts = zip(*own, strict=True) if own else ((), (), ())
        written = each(write_shard, paths, parts, repeat(make_clip), repeat(digest))
        for (_, path, jobs), sidecar in zip(own, written, strict=True):
            found[path] = sidecar
            bar.update(len(jobs))
    found = dict(plan.team.gather(list(found.items())))
    sidecars: dict[str, list[Sidecar]] = {split: [] for split in splits}
    for split, path, _ in chunks:
        sidecars[split].append(found[path])
    return sidecars


def _refuse_doubles(root: Path, keys: Iterable[str]) -> None:
    if doubles := sorted(key for key, count in Counter(keys).items() if count > 1):
        raise InputError(
            f"{root}: {len(doubles)} keys stand twice, in one split or in two: {', '.join(doubles[:10])}; "
            "give each clip a name of its own"
        )


def _close_split(folder: Path, sidecars: Sequence[Sidecar], classes: Sequence[str]) -> SplitCard:
    filled = [sidecar for sidecar in sidecars if sidecar["clips"]]
    rejected = _rejected(sidecars)
    buffer = io.BytesIO()
    Index.from_shards([sidecar["rows"] for sidecar in filled], classes).save(buffer)
    write(folder / "index.npz", buffer.getvalue(), sync=True)
    lines = [json.dumps(entry._asdict()) for entry in rejected]
    write(folder / "rejected.jsonl", "".join(line + "\n" for line in lines), sync=True)
    return {
        "clips": sum(sidecar["clips"] for sidecar in filled),
        "rejected": len(rejected),
        "kinds": count_kinds(rejected),
        "fingerprint": fingerprint_of(sidecar["sha256"] for sidecar in filled),
        "shards": [
            {
                "name": sidecar["name"],
                "clips": sidecar["clips"],
                "bytes": sidecar["bytes"],
                "sha256": sidecar["sha256"],
            }
            for sidecar in filled
        ],
    }


def _rejected(sidecars: Sequence[Sidecar]) -> list[Rejected]:
    return [Rejected(*entry) for sidecar in sidecars for entry in sidecar["rejected"]]
