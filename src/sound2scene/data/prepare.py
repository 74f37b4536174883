"""DataModules that prepare their own shards: each names a source and a folder, and writes missing shards.

Each is :class:`~sound2scene.data.clips.ClipDataModule` with a `prepare_data`; its further settings go
through.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from sound2scene.data.corpora.labels import labels_of
from sound2scene.data.corpora.pairs import Source, Splits, folder_jobs, make_pair, manifest_jobs
from sound2scene.data.corpora.vegas import CLASSES, FIVE_CLASSES
from sound2scene.data.corpora.videos import folder_videos
from sound2scene.data.selection.choice import MomentChoice
from sound2scene.data.selection.file import Selection
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.data.toy import pictures as toy_picture
from sound2scene.data.toy import world as toy
from sound2scene.data.vggsound.jobs import vggsound_jobs, vggsound_videos
from sound2scene.data.vggsound.names import clip_name
from sound2scene.data.vggsound.table import read_classes, read_table
from sound2scene.data.video.clip import make_video_clip
from sound2scene.types import InputError

ToyFrame = Literal["localizer", "middle", "random", "true"]


def prepare_toy(
    shards: str | Path,
    videos: str | Path,
    frame: ToyFrame = "true",
    selection: str | Path | None = None,
    clips: Mapping[str, int] | None = None,
    mixed: int = toy.MIXED,
    seed: int = 0,
    workers: int = 2,
) -> Path:
    """Write the toy world's videos, then its shards from those videos.

    Args:
        shards: Target folder.
        videos: Folder of the videos; those that are there are kept.
        frame: Moment of the picture: the true one, the middle of the video, which often misses the object, a
            random one, or the one that a localizer chose.
        selection: File of the moments that it chose, of the videos' folder.
        clips: Clips per split.
        mixed: Clips of the test split with two sources.
        seed: Of the world.
        workers: Processes.

    Raises:
        InputError: If the choice needs a selection that is not there or lacks a video.
    """
    counts = toy.clip_counts() if clips is None else clips
    toy.write_videos(Path(videos), counts, mixed, seed, workers)
    if (frame == "localizer") != (selection is not None):
        raise InputError(f"frame {frame!r}: the choice of a localizer needs a selection, the others none")
    chosen = None if selection is None else Selection.load(selection)
    splits = {
        split: [_toy_job(Path(videos), truth, frame, chosen) for truth in found]
        for split in counts
        if (found := toy.read_truth(Path(videos), split))
    }
    notes = {"frame": frame, "seed": seed, "videos": {**counts, "test_mixed": mixed}}
    notes |= {} if chosen is None else {"scorer": dict(chosen.scorer)}
    return write_dataset(
        shards, splits, make_video_clip, Plan("toy", toy.KINDS, workers=workers, notes=notes)
    )


def _toy_job(videos: Path, truth: toy.Truth, frame: ToyFrame, chosen: Selection | None) -> dict[str, Any]:
    path = toy.video_path(videos, truth)
    job: dict[str, Any] = {"key": truth.key, "label": truth.label, "video": str(path)}
    job |= {"moment_s": truth.moment_true_s if frame == "true" else frame, "side_px": toy_picture.SIDE_PX}
    job |= {"metadata": truth.as_json()}
    if chosen is None:
        return job
    name = path.relative_to(videos).with_suffix("").as_posix()
    if name in chosen.rejected:
        return job | {"rejected": chosen.rejected[name]}
    if name not in chosen.videos:
        raise InputError(f"{path}: not in the selection; select the moments of this folder again")
    return job | {"moment_s": chosen.videos[name].moments_s[0]}


def is_missing(shards: str) -> bool:
    """Whether a local folder waits for its shards; those at other addresses are read, never written."""
    return "://" not in shards and not (Path(shards) / "dataset.json").exists()


def prepare_folder(
    shards: str | Path,
    source: str | Path,
    val_share: float = 0.1,
    test_share: float = 0.0,
    classes: Sequence[str] | None = None,
) -> Path:
    """Shards of a folder of pairs; with `classes`, of its folders of those names."""
    splits = folder_jobs(source, val_share, test_share)
    if classes is not None:
        splits = {split: [job for job in jobs if job["label"] in classes] for split, jobs in splits.items()}
        if not splits["train"]:
            raise InputError(f"{source}: no folder named as a class ({', '.join(classes)}); check the names")
    return write_dataset(shards, splits, make_pair, Plan(Path(source).name, classes))


def prepare_manifest(shards: str | Path, source: str | Path, val_share: float = 0.15, seed: int = 0) -> Path:
    """Shards of the pairs drawn from a manifest."""
    splits: Splits = manifest_jobs(source, val_share, seed)
    notes = {"pairs": "weak: picture and sound share a class, not a moment", "draw_seed": seed}
    return write_dataset(shards, splits, make_pair, Plan(Path(source).parent.name, notes=notes))


def prepare_vggsound(
    shards: str | Path,
    source: str | Path,
    table: str | Path,
    classes: str | Path | None = None,
    val_share: float = 0.05,
) -> Path:
    """Shards of VGGSound pairs; coverage is stamped into `dataset.json`."""
    names = None if classes is None else read_classes(classes)
    found = vggsound_jobs(source, read_table(table), names, val_share)
    plan = Plan("vggsound", names, notes=found.notes, missing=found.missing, strays=found.strays)
    return write_dataset(shards, found.splits, make_pair, plan)


def prepare_vggsound_videos(
    shards: str | Path,
    videos: str | Path,
    table: str | Path,
    classes: str | Path | None = None,
    val_share: float = 0.05,
    workers: int | None = None,
    **choice: Any,
) -> Path:
    """Shards of VGGSound's videos in the official splits.

    Args:
        shards: Target folder.
        videos: Folder of the videos, searched recursively.
        table: `vggsound.csv`, plain or gzipped.
        classes: File with the class names to take, or `50` for the published ones; None takes all 309.
        val_share: Share of the training videos held out for validation.
        workers: Processes; None: as many as there are cores.
        choice: `selection`, `frame` and `side_px` of :class:`~sound2scene.data.video_jobs.MomentChoice`.
    """
    names = None if classes is None else read_classes(classes)
    moments = MomentChoice(**choice, spelling=clip_name)
    found = vggsound_videos(videos, read_table(table), moments, names, val_share)
    return _write(shards, found, "vggsound", names, workers)


def prepare_vegas_videos(
    shards: str | Path,
    videos: str | Path,
    five: bool = False,
    val_share: float = 0.1,
    test_share: float = 0.2,
    workers: int | None = None,
    **choice: Any,
) -> Path:
    """Shards of VEGAS's videos, one folder per class, split by a hash of their names; arguments as for VGGSound's.

    Args:
        shards: Target folder.
        videos: Folder of the class folders.
        five: Only the five classes of the paper's table.
        val_share: Share of the clips held out for validation.
        test_share: Share held out for the test.
        workers: Processes.
        choice: Of the moments.
    """
    names = FIVE_CLASSES if five else CLASSES
    found = folder_videos(videos, MomentChoice(**choice), "folders", (val_share, test_share), names)
    return _write(shards, found, "vegas", names, workers)


def prepare_videos(
    shards: str | Path,
    videos: str | Path,
    labels: str | Path | None = None,
    val_share: float = 0.1,
    test_share: float = 0.0,
    workers: int | None = None,
    **choice: Any,
) -> Path:
    """Shards of any folder of videos; arguments as for VGGSound's.

    Args:
        shards: Target folder.
        videos: Folder of the videos, searched recursively.
        labels: A CSV with the columns key, label and, optionally, split; `folders`: one folder per class;
            None: none.
        val_share: Share of the clips held out for validation.
        test_share: Share held out for the test, where `labels` has no splits.
        workers: Processes.
        choice: Of the moments.
    """
    found = folder_videos(videos, MomentChoice(**choice), labels_of(labels), (val_share, test_share))
    return _write(shards, found, Path(videos).resolve().name, None, workers)


def _write(
    shards: str | Path, found: Source, name: str, classes: Sequence[str] | None, workers: int | None
) -> Path:
    plan = Plan(
        name,
        classes,
        workers=workers or os.cpu_count() or 1,
        notes=found.notes,
        missing=found.missing,
        strays=found.strays,
    )
    return write_dataset(shards, found.splits, make_video_clip, plan)
