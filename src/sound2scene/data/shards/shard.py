"""One shard of a dataset: a tar of clips, and the sidecar that says it is whole."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias, TypedDict, TypeVar

from sound2scene import audio
from sound2scene.data.shards.index import Location, scan_shard
from sound2scene.files import write
from sound2scene.types import CLIP_SAMPLES, Clip, InputError, Rejected


class Job(TypedDict):
    """What one clip is to be made of; a rejected clip is listed under its job's key."""

    key: str


JobT = TypeVar("JobT", bound=Job)
MakeClip: TypeAlias = Callable[[JobT], Clip | Rejected]


def safe_key(name: str) -> str:
    """A clip's name with all but ASCII letters, digits, `_` and `-` replaced: a dot ends a WebDataset key."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


class Sidecar(TypedDict):
    """What a shard's sidecar says of it.

    Attributes:
        jobs: Fingerprint of what the whole dataset is to be made of.
        name: File name of the shard; it is not there if it would hold no clip.
        clips: Clips in the shard.
        bytes: Size of the shard.
        sha256: Checksum of the shard.
        rows: Locations of the clips in the shard.
        rejected: Key, reason and kind of each clip that could not be made.
    """

    jobs: str
    name: str
    clips: int
    bytes: int
    sha256: str
    rows: list[Location]
    rejected: list[list[str]]


def write_shard(path: Path, jobs: Sequence[JobT], make_clip: MakeClip[JobT], digest: str) -> Sidecar:
    """Write a shard and the sidecar that says it is whole; where both are there, nothing is made again.

    Args:
        path: File of the shard.
        jobs: What its clips are to be made of.
        make_clip: Turns a job into a clip.
        digest: Fingerprint of what the whole dataset is to be made of.
    """
    beside = path.with_suffix(".part.json")
    if beside.exists():
        done: Sidecar = json.loads(beside.read_text(encoding="utf-8"))
        if path.exists() or not done["clips"]:
            return done
    rejected: list[Rejected] = []
    buffer = io.BytesIO()
    # The format takes names over 100 characters.
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for clip in _made(jobs, make_clip, rejected):
            _add(tar, clip)
    data = buffer.getvalue()
    rows = list(scan_shard(io.BytesIO(data), path.name))
    if rows:
        write(path, data, sync=True)
    sidecar: Sidecar = {
        "jobs": digest,
        "name": path.name,
        "clips": len(rows),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "rows": rows,
        "rejected": [list(entry) for entry in rejected],
    }
    write(beside, json.dumps(sidecar), sync=True)
    return sidecar


def _made(jobs: Sequence[JobT], make_clip: MakeClip[JobT], rejected: list[Rejected]) -> Iterator[Clip]:
    for job in jobs:
        try:
            clip = make_clip(job)
        except InputError as error:
            clip = Rejected(job["key"], str(error), error.kind)
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
