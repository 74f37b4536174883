"""The clips of a dataset again, but for those that are left out, as jobs for shards."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NotRequired, TypedDict

from sound2scene.data.corpora.corpus import Jobs
from sound2scene.data.shards.read import Folder, ShardDataset
from sound2scene.data.shards.report import REJECTED
from sound2scene.types import Clip, InputError, Rejected


class CopyJob(TypedDict):
    """A clip of a dataset.

    Attributes:
        key: Name of the clip.
        shards: Folder or address of the dataset.
        split: Split of the clip.
        position: Its position there; -1 where preparation had rejected it already.
        rejected: Kind and reason, where it is left out.
    """

    key: str
    shards: str
    split: str
    position: int
    rejected: NotRequired[tuple[str, str]]


def clean_jobs(folder: Folder, left_out: Mapping[str, Mapping[str, str]]) -> Jobs[CopyJob]:
    """Jobs of every clip of a dataset; clips to leave out are rejected by those.

    Args:
        folder: The dataset.
        left_out: Clips to leave out of each split, and why: kinds, separated by commas.

    Raises:
        InputError: If the dataset cannot be read.
    """
    jobs: Jobs[CopyJob] = {}
    for split in folder.card["splits"]:
        clips = ShardDataset(folder, split)
        found: list[CopyJob] = []
        for position in range(len(clips)):
            key = clips.key(position)
            job: CopyJob = {"key": key, "shards": folder.address, "split": split, "position": position}
            if why := left_out.get(split, {}).get(key):
                job["rejected"] = (why.partition(",")[0], f"left out: {why.replace('_', ' ')}")
            found.append(job)
        jobs[split] = found + _rejected_before(folder, split)
    return jobs


def _rejected_before(folder: Folder, split: str) -> list[CopyJob]:
    where = f"{split}/rejected.jsonl"
    try:
        lines = REJECTED.parse_lines(folder.read(where), where)
    except FileNotFoundError:
        raise InputError(f"{folder.address}/{where}: missing; prepare the dataset again") from None
    return [
        {
            "key": line["key"],
            "shards": folder.address,
            "split": split,
            "position": -1,
            "rejected": (line.get("kind", InputError.kind), line["reason"]),
        }
        for line in lines
    ]


def make_copy(job: CopyJob) -> Clip | Rejected:
    """The clip as it was written: the same picture file, the same samples."""
    if "rejected" in job:
        kind, reason = job["rejected"]
        return Rejected(job["key"], reason, kind)
    return _opened(job["shards"], job["split"])[job["position"]]


@lru_cache(maxsize=1)
def _opened(shards: str, split: str) -> ShardDataset:
    """A split, opened once in each process for all its clips."""
    return ShardDataset(shards, split)
