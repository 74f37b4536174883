"""The toy world's videos as jobs for shards."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from sound2scene.data.selection.file import Selection
from sound2scene.data.settings import MomentRule
from sound2scene.data.toy import pictures
from sound2scene.data.toy.truth import Truth
from sound2scene.data.toy.world import read_truth, video_path
from sound2scene.data.video.clip import VideoJob
from sound2scene.seeds import seed_of
from sound2scene.types import InputError


def toy_jobs(
    folder: Path, splits: Iterable[str], moments: Literal["true"] | MomentRule | Selection, best: int = 1
) -> dict[str, list[VideoJob]]:
    """Jobs of the splits that are not empty.

    Args:
        folder: Folder of the videos.
        splits: Names of the splits.
        moments: Moments of the pictures: the true ones, by a rule, or as someone has selected them in the
            folder.
        best: Among how many of the best selected moments one is drawn at random, once for each video.

    Raises:
        InputError: If a split was never completed, or the selection lacks a video.
    """
    found = {
        split: [_job(folder, truth, moments, best) for truth in read_truth(folder, split)] for split in splits
    }
    return {split: jobs for split, jobs in found.items() if jobs}


def _job(
    folder: Path, truth: Truth, moments: Literal["true"] | MomentRule | Selection, best: int
) -> VideoJob:
    path = video_path(folder, truth)
    job: VideoJob = {
        "key": truth.key,
        "label": truth.label,
        "video": str(path),
        "side_px": pictures.SIDE_PX,
        "metadata": truth.as_json(),
    }
    if not isinstance(moments, Selection):
        job["moment_s"] = truth.moment_true_s if moments == "true" else moments
        return job
    name = path.relative_to(folder).with_suffix("").as_posix()
    if name in moments.rejected:
        job["rejected"] = moments.rejected[name]
    elif name in moments.videos:
        among = moments.videos[name].moments_s[:best]
        job["moment_s"] = among[seed_of("best moment", truth.key) % len(among)]
    else:
        raise InputError(f"{path}: not in the selection; select the moments of this folder again")
    return job
