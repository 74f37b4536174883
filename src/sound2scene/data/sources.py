"""DataModules that prepare their own shards: each names a source and a folder, and writes missing shards.

Each is :class:`~sound2scene.data.module.ClipDataModule` with a `prepare_data`; its further settings go through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from sound2scene.data import toy, toy_picture
from sound2scene.data.module import ClipDataModule
from sound2scene.data.pairs import Splits, folder_jobs, make_pair, manifest_jobs
from sound2scene.data.selection import Selection
from sound2scene.data.sharding import Plan, write_dataset
from sound2scene.data.shards import Folder
from sound2scene.data.vegas import CLASSES, FIVE_CLASSES
from sound2scene.data.vggsound import read_classes, read_table, vggsound_jobs
from sound2scene.data.video_clips import make_video_clip
from sound2scene.types import InputError

Frame = Literal["localizer", "middle", "random", "true"]


def prepare_toy(
    shards: str | Path, videos: str | Path, frame: Frame = "true", selection: str | Path | None = None,
    clips: Mapping[str, int] | None = None, mixed: int = toy.MIXED, seed: int = 0, workers: int = 2,
) -> Path:  # fmt: skip
    """Write the toy world's videos, then its shards from those videos.

    Args:
        shards: Target folder.
        videos: Folder of the videos; those that are there are kept.
        frame: Moment of the picture: the true one, the middle of the video, which often misses the object, a random
            one, or the one that a localizer chose.
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
    return write_dataset(shards, splits, make_video_clip, Plan("toy", toy.KINDS, workers=workers, notes=notes))


def _toy_job(videos: Path, truth: toy.Truth, frame: Frame, chosen: Selection | None) -> dict[str, Any]:
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


class ToyDataModule(ClipDataModule):
    """The procedural toy world.

    Args:
        shards: Folder of the shards; None: `data/toy/shards-<frame>`.
        videos: Folder of the videos.
        frame: Moment of the picture.
        train_clips: Clips to train on; val and test have 256 each, test 32 more with two sources.
        settings: Of ClipDataModule.
    """

    def __init__(
        self, shards: str | None = None, videos: str = "data/toy/videos", frame: Frame = "true",
        train_clips: int = 1280, **settings: Any,
    ) -> None:  # fmt: skip
        super().__init__(f"data/toy/shards-{frame}" if shards is None else shards, **settings)
        self.videos, self.frame, self.train_clips = videos, frame, train_clips

    def prepare_data(self) -> None:
        """Write videos and shards that are not there.

        Raises:
            InputError: If the shards that are there are of other moments or of another number of clips, or a localizer
                has not chosen the moments yet.
        """
        if is_missing(self.shards):
            if self.frame == "localizer":
                raise InputError(
                    f"{self.shards}: missing; run `sound2scene prepare toy --frame localizer -o {self.shards}`"
                )
            prepare_toy(self.shards, self.videos, self.frame, clips=toy.clip_counts(self.train_clips))
        notes = Folder(self.shards).card.get("notes", {})
        found = notes.get("frame"), notes.get("videos", {}).get("train")
        if found != (self.frame, self.train_clips):
            raise InputError(
                f"{self.shards}: holds pictures of the {found[0]} moment of {found[1]} training videos, not of the "
                f"{self.frame} moment of {self.train_clips}; name another folder in data.init_args.shards"
            )


class FolderDataModule(ClipDataModule):
    """A folder with `images/` and `audios/`, or one such folder per class.

    Args:
        source: The folder.
        shards: Folder of the shards.
        val_share: Share of the clips held out for validation.
        test_share: Share held out for the test.
        settings: Of ClipDataModule.
    """

    classes: Sequence[str] | None = None

    def __init__(
        self, source: str, shards: str, val_share: float = 0.1, test_share: float = 0.0, **settings: Any
    ) -> None:
        super().__init__(shards, **settings)
        self.source, self.val_share, self.test_share = source, val_share, test_share

    def prepare_data(self) -> None:
        """Write shards that are not there."""
        if is_missing(self.shards):
            prepare_folder(self.shards, self.source, self.val_share, self.test_share, self.classes)


class VEGASDataModule(FolderDataModule):
    """VEGAS as one folder per class, each with `images/` and `audios/`.

    Args:
        source: The folder.
        shards: Folder of the shards.
        five: Only the five classes of the paper's table.
        settings: Of FolderDataModule and ClipDataModule.
    """

    def __init__(self, source: str, shards: str, five: bool = True, test_share: float = 0.2, **settings: Any) -> None:
        super().__init__(source, shards, test_share=test_share, **settings)
        self.classes = FIVE_CLASSES if five else CLASSES


class ManifestDataModule(ClipDataModule):
    """Class-matched, weakly paired pictures and sounds of a CSV manifest.

    Args:
        source: The manifest.
        shards: Folder of the shards.
        val_share: Share of the training groups held out for validation.
        draw_seed: Of the draw of pairs.
        settings: Of ClipDataModule.
    """

    def __init__(self, source: str, shards: str, val_share: float = 0.15, draw_seed: int = 0, **settings: Any) -> None:
        super().__init__(shards, **settings)
        self.source, self.val_share, self.draw_seed = source, val_share, draw_seed

    def prepare_data(self) -> None:
        """Write shards that are not there."""
        if is_missing(self.shards):
            prepare_manifest(self.shards, self.source, self.val_share, self.draw_seed)


class VGGSoundDataModule(ClipDataModule):
    """VGGSound as `images/` and `audios/`, in its official splits.

    Args:
        source: The folder; names in any of VGGSound's spellings.
        table: `vggsound.csv`, plain or gzipped.
        shards: Folder of the shards.
        classes: File with the class names to take, one per line; `50`: the published ones; None takes all 309.
        val_share: Share of the training videos held out for validation.
        settings: Of ClipDataModule.
    """

    def __init__(
        self, source: str, table: str, shards: str, classes: str | None = None, val_share: float = 0.05, **settings: Any
    ) -> None:
        super().__init__(shards, **settings)
        self.source, self.table, self.classes, self.val_share = source, table, classes, val_share

    def prepare_data(self) -> None:
        """Write shards that are not there."""
        if is_missing(self.shards):
            prepare_vggsound(self.shards, self.source, self.table, self.classes, self.val_share)


def prepare_folder(
    shards: str | Path, source: str | Path, val_share: float = 0.1, test_share: float = 0.0,
    classes: Sequence[str] | None = None,
) -> Path:  # fmt: skip
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
