"""Datasets from folders of videos: shards are prepared from the videos themselves, without extracting files first.

Each DataModule is :class:`~sound2scene.data.module.ClipDataModule` with a `prepare_data`; its further settings go
through. Pictures have at most 256 pixels on their short side, which is what the `squeeze` preset needs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sound2scene.data.labels import labels_of
from sound2scene.data.module import ClipDataModule
from sound2scene.data.pairs import Source
from sound2scene.data.sharding import Plan, write_dataset
from sound2scene.data.sources import is_missing
from sound2scene.data.vegas import CLASSES, FIVE_CLASSES
from sound2scene.data.vggsound import read_classes, read_table
from sound2scene.data.video_clips import make_video_clip
from sound2scene.data.video_jobs import Frame, MomentChoice, clip_name, folder_videos, vggsound_videos


def prepare_vggsound_videos(
    shards: str | Path, videos: str | Path, table: str | Path, classes: str | Path | None = None,
    val_share: float = 0.05, workers: int | None = None, **choice: Any,
) -> Path:  # fmt: skip
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
    shards: str | Path, videos: str | Path, five: bool = False, val_share: float = 0.1, test_share: float = 0.2,
    workers: int | None = None, **choice: Any,
) -> Path:  # fmt: skip
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
    shards: str | Path, videos: str | Path, labels: str | Path | None = None, val_share: float = 0.1,
    test_share: float = 0.0, workers: int | None = None, **choice: Any,
) -> Path:  # fmt: skip
    """Shards of any folder of videos; arguments as for VGGSound's.

    Args:
        shards: Target folder.
        videos: Folder of the videos, searched recursively.
        labels: A CSV with the columns key, label and, optionally, split; `folders`: one folder per class; None: none.
        val_share: Share of the clips held out for validation.
        test_share: Share held out for the test, where `labels` has no splits.
        workers: Processes.
        choice: Of the moments.
    """
    found = folder_videos(videos, MomentChoice(**choice), labels_of(labels), (val_share, test_share))
    return _write(shards, found, Path(videos).resolve().name, None, workers)


def _write(shards: str | Path, found: Source, name: str, classes: Sequence[str] | None, workers: int | None) -> Path:
    plan = Plan(
        name, classes, workers=workers or os.cpu_count() or 1, notes=found.notes, missing=found.missing,
        strays=found.strays,
    )  # fmt: skip
    return write_dataset(shards, found.splits, make_video_clip, plan)


class VGGSoundVideosDataModule(ClipDataModule):
    """VGGSound's videos, in its official splits.

    Args:
        videos: Folder of the videos, searched recursively; names in any of VGGSound's spellings.
        table: `vggsound.csv`, plain or gzipped.
        shards: Folder of the shards.
        classes: File with the class names to take, or `50` for the published ones; None takes all 309.
        selection: File of the selected moments.
        frame: Moment of the videos without a selected one; None leaves them out, and is the middle without a selection.
        val_share: Share of the training videos held out for validation.
        settings: Of ClipDataModule.
    """

    def __init__(
        self, videos: str, table: str, shards: str, classes: str | None = None, selection: str | None = None,
        frame: Frame | None = None, val_share: float = 0.05, **settings: Any,
    ) -> None:  # fmt: skip
        super().__init__(shards, **settings)
        self.videos, self.table, self.classes, self.val_share = videos, table, classes, val_share
        self.selection, self.frame = selection, frame

    def prepare_data(self) -> None:
        """Write shards that are not there."""
        if is_missing(self.shards):
            prepare_vggsound_videos(
                self.shards, self.videos, self.table, self.classes, self.val_share, selection=self.selection,
                frame=self.frame,
            )  # fmt: skip


class VEGASVideosDataModule(ClipDataModule):
    """VEGAS's videos, one folder per class.

    Args:
        videos: Folder of the class folders.
        shards: Folder of the shards.
        five: Only the five classes of the paper's table.
        selection: File of the selected moments.
        frame: Moment of the videos without a selected one; None leaves them out, and is the middle without a selection.
        val_share: Share of the clips held out for validation.
        test_share: Share held out for the test.
        settings: Of ClipDataModule.
    """

    def __init__(
        self, videos: str, shards: str, five: bool = True, selection: str | None = None, frame: Frame | None = None,
        val_share: float = 0.1, test_share: float = 0.2, **settings: Any,
    ) -> None:  # fmt: skip
        super().__init__(shards, **settings)
        self.videos, self.five, self.selection, self.frame = videos, five, selection, frame
        self.val_share, self.test_share = val_share, test_share

    def prepare_data(self) -> None:
        """Write shards that are not there."""
        if is_missing(self.shards):
            prepare_vegas_videos(
                self.shards, self.videos, self.five, self.val_share, self.test_share, selection=self.selection,
                frame=self.frame,
            )  # fmt: skip


class VideosDataModule(ClipDataModule):
    """Any folder of videos.

    Args:
        videos: The folder, searched recursively.
        shards: Folder of the shards.
        labels: A CSV with the columns key, label and, optionally, split; `folders`: one folder per class; None: none.
        selection: File of the selected moments.
        frame: Moment of the videos without a selected one; None leaves them out, and is the middle without a selection.
        val_share: Share of the clips held out for validation.
        test_share: Share held out for the test, where `labels` has no splits.
        settings: Of ClipDataModule.
    """

    def __init__(
        self, videos: str, shards: str, labels: str | None = None, selection: str | None = None,
        frame: Frame | None = None, val_share: float = 0.1, test_share: float = 0.0, **settings: Any,
    ) -> None:  # fmt: skip
        super().__init__(shards, **settings)
        self.videos, self.labels, self.selection, self.frame = videos, labels, selection, frame
        self.val_share, self.test_share = val_share, test_share

    def prepare_data(self) -> None:
        """Write shards that are not there."""
        if is_missing(self.shards):
            prepare_videos(
                self.shards, self.videos, self.labels, self.val_share, self.test_share, selection=self.selection,
                frame=self.frame,
            )  # fmt: skip
