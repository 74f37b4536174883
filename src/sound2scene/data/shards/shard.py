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
from sound2scene.records import Count, Record
from sound2scene.types import CLIP_SAMPLES, Clip, InputError, Rejected


class Job(TypedDict):
    """What one clip is to be made of; a rejected clip is listed under its job's key."""

    key: str


JobT = TypeVar("JobT", bound=Job)
MakeClip: TypeAlias = Callable[[JobT], Clip | Rejected]


LONGEST_KEY = 250  # with a suffix it is the name of a file


def safe_key(name: str) -> str:
    """A clip's key from any name; two names never share one.

    ASCII letters, digits, `_` and `-` stay. Each byte of all else (a dot ends a WebDataset key) becomes `=`
    with its two hexadecimal digits, and a key beyond 250 characters is cut, with `==` and a part of its
    checksum behind it.
    """
    spelt = re.sub(
        rb"[^A-Za-z0-9_-]", lambda byte: b"=%02X" % byte[0][0], name.encode("utf-8", "surrogateescape")
    )
    if len(spelt) > LONGEST_KEY:
        end = b"==" + hashlib.sha256(spelt).hexdigest()[:16].encode()
        spelt = spelt[: LONGEST_KEY - len(end)] + end
    return spelt.decode("ascii")


def is_key(text: str) -> bool:
    """Whether a text is one that :func:`safe_key` can give."""
    return len(text) <= LONGEST_KEY and re.fullmatch(r"[A-Za-z0-9_=-]+", text) is not None


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
    clips: Count
    bytes: Count
    sha256: str
    rows: list[Location]
    rejected: list[tuple[str, str, str]]


SIDECAR = Record(Sidecar, "remove this file, its clips are then made again")


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
        done = SIDECAR.read(beside)
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
        "rejected": [(entry.key, entry.reason, entry.kind) for entry in rejected],
    }
    write(beside, json.dumps(sidecar), sync=True)
    return sidecar


def _made(jobs: Sequence[JobT], make_clip: MakeClip[JobT], rejected: list[Rejected]) -> Iterator[Clip]:
    for job in jobs:
        try:
            clip = make_clip(job)
        except InputError as error:
            clip = Rejected(job["key"], str(error), error.kind)
        if isinstance(clip, Clip) and not is_key(clip.key):
            remedy = "use letters, digits, _ and - only, 250 at most (see `safe_key`)"
            clip = Rejected(job["key"], f"clip name {clip.key[:300]!r}: {remedy}", "unusable_name")
        if isinstance(clip, Rejected):
            rejected.append(clip)
        else:
            yield clip


def _add(tar: tarfile.TarFile, clip: Clip) -> None:
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
