"""Write a dataset: jobs in, shards out, in parallel, resumable, with every rejected clip counted and listed.

A job is whatever describes one clip (a path, a row, a truth record); the caller's function turns it into a
:class:`~sound2scene.types.Clip`. Shard i holds jobs [i * n, (i + 1) * n), whichever process writes it, so the
bytes do not depend on the number of workers and a killed run goes on at the first unfinished shard.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sound2scene import audio
from sound2scene.data.shards.index import Index, scan_shard
from sound2scene.data.shards.read import FORMAT
from sound2scene.data.shards.report import count_kinds, report_files
from sound2scene.processes import process_pool
from sound2scene.types import CLIP_S, CLIP_SAMPLES, SAMPLE_RATE_HZ, Clip, InputError, Rejected

Job = Any  # a mapping with "key", or a sequence that begins with one: a rejected job is listed under it


MakeClip = Callable[[Job], "Clip | Rejected"]


@dataclass(frozen=True)
class Plan:
    """What to write, besides the jobs.

    Attributes:
        name: Of the dataset.
        classes: Class names in the order of their indices; None: the sorted labels that occur.
        clips_per_shard: Jobs per tar.
        workers: Processes.
        notes: Anything to stamp into `dataset.json` (coverage, the choice of frame ...).
        missing: Keys of each split that the source should hold and does not, for the report.
        strays: Files of the source that are no clips of it, by kind, for the report.
    """

    name: str
    classes: Sequence[str] | None = None
    clips_per_shard: int = 128
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    notes: Mapping[str, Any] = field(default_factory=dict)
    missing: Mapping[str, Sequence[str]] = field(default_factory=dict)
    strays: Mapping[str, Sequence[str]] = field(default_factory=dict)


def safe_key(name: str) -> str:
    """A clip's name with all but ASCII letters, digits, ``_`` and ``-`` replaced (a dot ends a WebDataset key)."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def write_dataset(
    folder: str | Path, splits: Mapping[str, Sequence[Job]], make_clip: MakeClip, plan: Plan
) -> Path:
    """Write every split and `dataset.json`, which appears last: without it there is no dataset.

    Args:
        folder: Local target folder.
        splits: Jobs of each split, in order. A job must survive `json.dumps(default=str)` and pickling.
        make_clip: Turns a job into a clip; an InputError or a Rejected takes the clip out and is reported.
        plan: Name, classes, sizes.

    Raises:
        InputError: If the folder holds a dataset of other jobs, finished or not, a key stands twice, or a
            label is not among the classes.
    """
    root = Path(folder)
    digest = _digest(splits, plan)
    _refuse_others(root, digest)
    if not (root / "dataset.json").exists():
        _refuse_doubles(
            root, (_name(job) for jobs in splits.values() for job in jobs)
        )  # before hours of work
        parts = _write_parts(root, splits, make_clip, plan, digest)
        _refuse_doubles(
            root, (row["key"] for found in parts.values() for part in found for row in part["rows"])
        )
        _close(root, parts, plan, digest)
    for leftover in (
        *root.glob("*/*.part.json"),
        *root.glob("*.tmp"),
        *root.glob("*/*.tmp"),
    ):  # of a killed run too
        leftover.unlink()
    return root


def _close(root: Path, parts: Mapping[str, list[dict[str, Any]]], plan: Plan, digest: str) -> None:
    labels = {row["label"] for found in parts.values() for part in found for row in part["rows"]} - {None}
    classes = sorted(labels) if plan.classes is None else list(plan.classes)
    if unknown := labels - set(classes):
        raise InputError(f"{root}: labels {sorted(unknown)} are not among the classes given; name them too")
    card = {
        "format": FORMAT,
        "name": plan.name,
        "classes": classes,
        "sample_rate_hz": SAMPLE_RATE_HZ,
        "clip_s": CLIP_S,
        "jobs": digest,
        "notes": dict(plan.notes),
        "splits": {split: _close_split(root / split, found, classes) for split, found in parts.items()},
    }
    rejected = {split: _rejected(found) for split, found in parts.items()}
    for name, data in report_files(card, rejected, plan.missing, plan.strays):
        _write(root / name, data)
    _write(root / "dataset.json", json.dumps(card, indent=1).encode())


def _refuse_others(root: Path, digest: str) -> None:
    for claim in (root / "dataset.json", *sorted(root.glob("*/*.part.json"))):
        try:
            known = not claim.exists() or json.loads(claim.read_text())["jobs"] == digest
        except (ValueError, LookupError, TypeError):
            known = False
        if not known:
            raise InputError(
                f"{root}: {claim.name} is of a dataset made from other clips or settings; "
                "remove the folder or choose another one"
            )


def _digest(splits: Mapping[str, Sequence[Job]], plan: Plan) -> str:
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


def _write_parts(
    root: Path, splits: Mapping[str, Sequence[Job]], make_clip: MakeClip, plan: Plan, digest: str
) -> dict[str, list[dict[str, Any]]]:
    chunks = [
        (split, root / split / f"{number:06d}.tar", jobs[start : start + plan.clips_per_shard])
        for split, jobs in splits.items()
        for number, start in enumerate(range(0, len(jobs), plan.clips_per_shard))
    ]
    for split in splits:
        (root / split).mkdir(parents=True, exist_ok=True)
    parts: dict[str, list[dict[str, Any]]] = {split: [] for split in splits}
    total = sum(map(len, splits.values()))
    with (
        process_pool(plan.workers) as pool,
        tqdm(total=total, desc=f"shards of {plan.name}", unit="clip") as bar,
    ):
        pending = [pool.submit(_write_part, path, jobs, make_clip, digest) for _, path, jobs in chunks]
        try:
            for (split, _, jobs), future in zip(chunks, pending, strict=True):
                parts[split].append(future.result())
                bar.update(len(jobs))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return parts


def _write_part(path: Path, jobs: Sequence[Job], make_clip: MakeClip, digest: str) -> dict[str, Any]:
    """One shard and the sidecar that says it is whole; read back from the sidecar if it is there."""
    sidecar = path.with_suffix(".part.json")
    if sidecar.exists():
        done: dict[str, Any] = json.loads(sidecar.read_text())
        if path.exists() or not done["clips"]:
            return done
    rejected: list[Rejected] = []
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT
    ) as tar:  # takes names over 100 characters
        for clip in _made(jobs, make_clip, rejected):
            _add(tar, clip)
    data = buffer.getvalue()
    rows = list(scan_shard(io.BytesIO(data), path.name))
    if rows:
        _write(path, data)
    part = {
        "jobs": digest,
        "name": path.name,
        "clips": len(rows),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "rows": rows,
        "rejected": rejected,
    }
    _write(sidecar, json.dumps(part).encode())
    return part


def _name(job: Job) -> str:
    return str(job["key"] if isinstance(job, Mapping) else job[0])


def _made(jobs: Sequence[Job], make_clip: MakeClip, rejected: list[Rejected]) -> Iterator[Clip]:
    for job in jobs:
        try:
            clip = make_clip(job)
        except InputError as error:
            clip = Rejected(_name(job), str(error), error.kind)
        if isinstance(clip, Rejected):
            rejected.append(clip)
        else:
            yield clip


def _add(tar: tarfile.TarFile, clip: Clip) -> None:
    if not clip.key or safe_key(clip.key) != clip.key:
        raise InputError(f"clip name {clip.key!r}: use letters, digits, _ and - only (see `safe_key`)")
    assert clip.waveform_T.shape == (CLIP_SAMPLES,), f"{clip.key}: {clip.waveform_T.shape} is not 10 s"
    about = {"label": clip.label, "moment_s": clip.moment_s, "metadata": dict(clip.metadata)}
    members = {
        "jpg": clip.jpeg,
        "flac": audio.encode_flac(clip.waveform_T),
        "json": json.dumps(about, sort_keys=True).encode(),
    }
    for kind, data in members.items():
        header = tarfile.TarInfo(f"{clip.key}.{kind}")  # no time, no owner: same clips, same bytes
        header.size = len(data)
        tar.addfile(header, io.BytesIO(data))


def _refuse_doubles(root: Path, keys: Iterable[str]) -> None:
    if doubles := sorted(key for key, count in Counter(keys).items() if count > 1):
        raise InputError(
            f"{root}: {len(doubles)} keys stand twice, in one split or in two: {', '.join(doubles[:10])}; "
            "give each clip a name of its own"
        )


def _close_split(folder: Path, parts: Sequence[dict[str, Any]], classes: list[str]) -> dict[str, Any]:
    filled = [part for part in parts if part["clips"]]
    rows = [row | {"shard": number} for number, part in enumerate(filled) for row in part["rows"]]
    rejected = _rejected(parts)
    buffer = io.BytesIO()
    Index.from_rows(rows, classes).save(buffer)
    _write(folder / "index.npz", buffer.getvalue())
    lines = [json.dumps(entry._asdict()) for entry in rejected]
    _write(folder / "rejected.jsonl", "".join(line + "\n" for line in lines).encode())
    fingerprint = hashlib.sha256("".join(part["sha256"] for part in filled).encode()).hexdigest()
    shards = [{name: part[name] for name in ("name", "clips", "bytes", "sha256")} for part in filled]
    counts = {"clips": len(rows), "rejected": len(rejected), "kinds": count_kinds(rejected)}
    return counts | {"fingerprint": fingerprint, "shards": shards}


def _rejected(parts: Sequence[dict[str, Any]]) -> list[Rejected]:
    return [Rejected(*entry) for part in parts for entry in part["rejected"]]


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(
        f"{path.name}.{os.getpid()}.tmp"
    )  # a killed run's processes may still be writing theirs
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
