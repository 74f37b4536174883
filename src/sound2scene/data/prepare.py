"""One function per corpus, which writes it as a dataset of shards."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

from sound2scene.data import settings
from sound2scene.data.corpora.clean import clean_jobs, make_copy
from sound2scene.data.corpora.corpus import Corpus
from sound2scene.data.corpora.labels import labels_of
from sound2scene.data.corpora.manifest import manifest_jobs
from sound2scene.data.corpora.pairs import folder_jobs, holds_pairs, make_pair
from sound2scene.data.corpora.rows import has_rows_of_pairs, row_jobs
from sound2scene.data.corpora.vegas import vegas_classes, vegas_pairs
from sound2scene.data.corpora.videos import folder_videos
from sound2scene.data.hygiene import Hygiene
from sound2scene.data.selection.choice import MomentChoice
from sound2scene.data.selection.file import Selection
from sound2scene.data.settings import MomentRule, MomentSettings, ToyMomentRule
from sound2scene.data.shards.read import Folder
from sound2scene.data.shards.shard import JobT, MakeClip
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.data.toy import world as toy
from sound2scene.data.toy.jobs import toy_jobs
from sound2scene.data.vggsound.annotations import load_selection
from sound2scene.data.vggsound.jobs import vggsound_pairs, vggsound_videos
from sound2scene.data.vggsound.names import clip_name
from sound2scene.data.vggsound.table import read_classes, read_table
from sound2scene.data.video.clip import make_video_clip
from sound2scene.distributed import ALONE, Team
from sound2scene.types import InputError


def is_missing(shards: str) -> bool:
    """Whether a local folder waits for its shards; those at other addresses are read, never written."""
    return "://" not in shards and not (Path(shards) / "dataset.json").exists()


def prepare_toy(
    shards: str | Path,
    videos: str | Path,
    frame: ToyMomentRule = settings.TOY_MOMENT,
    selection: str | Path | None = None,
    clips: Mapping[str, int] | None = None,
    mixed: float = settings.TOY_MIXED,
    seed: int = 0,
    workers: int = settings.TOY_WORKERS,
) -> Path:
    """Write the toy world's videos, then its shards from those videos.

    Args:
        shards: Target folder.
        videos: Folder of the videos; those that are there are kept.
        frame: Moment of the picture: the true one, the middle of the video, which often misses the object, a
            random one, the one that a localizer chose, or one drawn among its five best.
        selection: File of the moments that the localizer chose in the folder of the videos.
        clips: Clips of one source in each split; None makes the usual world.
        mixed: Clips of two sources for each clip of one, in every split.
        seed: Seed of the world.
        workers: Number of processes.

    Raises:
        InputError: If the choice needs a selection that is not there or lacks a video.
    """
    counts = toy.clip_counts(settings.TOY_TRAIN_CLIPS) if clips is None else clips
    toy.write_videos(Path(videos), counts, mixed, seed, workers)
    moments: Literal["true"] | MomentRule | Selection
    if frame in settings.TOY_BEST and selection is not None:
        moments = Selection.load(selection)
    elif frame not in settings.TOY_BEST and selection is None:
        moments = cast(Literal["true"] | MomentRule, frame)
    else:
        raise InputError(f"frame {frame!r}: the choice of a localizer needs a selection, the others none")
    notes = {"frame": frame, "seed": seed, "videos": dict(counts), "mixed": mixed}
    notes |= {"scorer": dict(moments.scorer)} if isinstance(moments, Selection) else {}
    plan = Plan(toy.NAME, toy.KINDS, workers=workers, notes=notes)
    jobs = toy_jobs(Path(videos), counts, moments, settings.TOY_BEST.get(frame, 1))
    return write_dataset(shards, jobs, make_video_clip, plan)


def prepare_folder(
    shards: str | Path,
    source: str | Path,
    val_share: float = settings.FOLDER_VAL_SHARE,
    test_share: float = settings.FOLDER_TEST_SHARE,
) -> Path:
    """Write the shards of a folder of pictures and sounds.

    Args:
        shards: Target folder.
        source: Folder with `images/` and `audios/`, or one such folder per class.
        val_share: Share of the clips held out for validation.
        test_share: Share of the clips held out for the test.
    """
    jobs = folder_jobs(source, val_share, test_share)
    return write_dataset(shards, jobs, make_pair, Plan(Path(source).name))


def prepare_manifest(
    shards: str | Path, source: str | Path, val_share: float = settings.MANIFEST_VAL_SHARE, draw_seed: int = 0
) -> Path:
    """Write the shards of a manifest's pairs, drawn within classes or as its rows say.

    Args:
        shards: Target folder.
        source: Manifest, a CSV with a file in each row (see
            :func:`~sound2scene.data.corpora.manifest.manifest_jobs`) or with a pair in each row (see
            :func:`~sound2scene.data.corpora.rows.row_jobs`).
        val_share: Share of the training groups held out for validation.
        draw_seed: Seed of the draw of pairs.
    """
    name = Path(source).parent.name
    if has_rows_of_pairs(source):
        plan = Plan(name, notes={"pairs": "by row: picture and sound belong together"})
        return write_dataset(shards, row_jobs(source, val_share), make_pair, plan)
    jobs = manifest_jobs(source, val_share, draw_seed)
    notes = {"pairs": "weak: picture and sound share a class, not a moment", "draw_seed": draw_seed}
    return write_dataset(shards, jobs, make_pair, Plan(name, notes=notes))


def prepare_vggsound(
    shards: str | Path,
    source: str | Path,
    table: str | Path,
    classes: str | Path | None = None,
    val_share: float = settings.VGGSOUND_VAL_SHARE,
    workers: int | None = None,
    moments: MomentSettings = settings.MIDDLE,
    team: Team = ALONE,
) -> Path:
    """Write the shards of VGGSound in its official splits; coverage is stamped into `dataset.json`.

    Args:
        shards: Target folder.
        source: Folder of the videos, searched recursively, or folder with `images/` and `audios/`; names in
            any of VGGSound's spellings.
        table: VGGSound's `vggsound.csv`, plain or gzipped.
        classes: File with the class names to take, or `50` for the published ones; None takes all 309.
        val_share: Share of the training videos held out for validation.
        workers: Number of processes; None starts one per processor core.
        moments: Which moments become pictures.
        team: Who shares the work; each process calls this.

    Raises:
        InputError: If the source holds pictures, and moments are to be chosen.
    """
    names = None if classes is None else read_classes(classes)
    rows = read_table(table)
    if holds_pairs(source):
        _refuse_choice(source, moments)
        pairs = vggsound_pairs(source, rows, names, val_share)
        return _write(shards, pairs, make_pair, "vggsound", names, workers, team)
    videos = vggsound_videos(source, rows, _choice(moments, clip_name), names, val_share)
    return _write(shards, videos, make_video_clip, "vggsound", names, workers, team)


def prepare_vegas(
    shards: str | Path,
    source: str | Path,
    five: bool = settings.VEGAS_FIVE,
    val_share: float = settings.VEGAS_VAL_SHARE,
    test_share: float = settings.VEGAS_TEST_SHARE,
    workers: int | None = None,
    moments: MomentSettings = settings.MIDDLE,
    team: Team = ALONE,
) -> Path:
    """Write the shards of VEGAS, split by a hash of the clips' names.

    Args:
        shards: Target folder.
        source: Folder with one folder per class: of videos, or of `images/` and `audios/`.
        five: Whether to take only the five classes of the paper's table.
        val_share: Share of the clips held out for validation.
        test_share: Share of the clips held out for the test.
        workers: Number of processes; None starts one per processor core.
        moments: Which moments become pictures.
        team: Who shares the work; each process calls this.

    Raises:
        InputError: If the source holds pictures, and moments are to be chosen.
    """
    names = vegas_classes(five)
    if holds_pairs(source):
        _refuse_choice(source, moments)
        pairs = vegas_pairs(source, five, val_share, test_share)
        return _write(shards, pairs, make_pair, "vegas", names, workers, team)
    videos = folder_videos(source, _choice(moments), "folders", (val_share, test_share), names)
    return _write(shards, videos, make_video_clip, "vegas", names, workers, team)


def prepare_videos(
    shards: str | Path,
    source: str | Path,
    labels: str | Path | None = None,
    val_share: float = settings.VIDEOS_VAL_SHARE,
    test_share: float = settings.VIDEOS_TEST_SHARE,
    workers: int | None = None,
    moments: MomentSettings = settings.MIDDLE,
    team: Team = ALONE,
) -> Path:
    """Write the shards of any folder of videos.

    Args:
        shards: Target folder.
        source: Folder of the videos, searched recursively.
        labels: A CSV with the columns key, label and, optionally, split; `folders` makes the first folder of
            a path its class; None knows no classes.
        val_share: Share of the clips held out for validation, where `labels` has no split `val`.
        test_share: Share of the clips held out for the test, where `labels` has no splits.
        workers: Number of processes; None starts one per processor core.
        moments: Which moments become pictures.
        team: Who shares the work; each process calls this.
    """
    videos = folder_videos(source, _choice(moments), labels_of(labels), (val_share, test_share))
    return _write(shards, videos, make_video_clip, Path(source).resolve().name, None, workers, team)


def prepare_clean(
    shards: str | Path, source: str, found: Sequence[Hygiene], workers: int | None = None
) -> Path:
    """Write a dataset's shards again, without the clips that should be left out.

    Args:
        shards: Target folder.
        source: Folder or address of the dataset.
        found: What was found in it, a split each.
        workers: Number of processes; None starts one per processor core.

    Raises:
        InputError: If something was found in another dataset than this one.
    """
    folder = Folder(source)
    for one in found:
        one.check(folder.fingerprints(), folder.address)
    left_out = {one.split: one.left_out for one in found}
    notes = dict(folder.notes) | {"left_out": {one.split: one.counts() for one in found}}
    corpus = Corpus(clean_jobs(folder, left_out), notes, {}, {})
    return _write(shards, corpus, make_copy, folder.card.get("name", ""), folder.classes, workers)


def _choice(moments: MomentSettings, spelling: Callable[[str], str | None] = str) -> MomentChoice:
    selection = None if moments.selection is None else load_selection(moments.selection)
    return MomentChoice(selection, moments.frame, moments.side_px, spelling)


def _refuse_choice(source: str | Path, moments: MomentSettings) -> None:
    if moments != settings.MIDDLE:
        raise InputError(
            f"{source}: holds pictures, of which no moment can be chosen; leave out selection, frame and "
            "side, or name a folder of videos"
        )


def _write(
    shards: str | Path,
    corpus: Corpus[JobT],
    make_clip: MakeClip[JobT],
    name: str,
    classes: Sequence[str] | None,
    workers: int | None,
    team: Team = ALONE,
) -> Path:
    plan = Plan(
        name,
        classes,
        workers=workers or os.cpu_count() or 1,
        notes=corpus.notes,
        missing=corpus.missing,
        strays=corpus.strays,
        team=team,
    )
    return write_dataset(shards, corpus.jobs, make_clip, plan)
