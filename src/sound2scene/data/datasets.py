"""One DataModule per corpus: each names a source and a folder, and writes shards that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sound2scene.data.clips import ClipDataModule
from sound2scene.data.corpora.vegas import CLASSES, FIVE_CLASSES
from sound2scene.data.prepare import (
    ToyFrame,
    is_missing,
    prepare_folder,
    prepare_manifest,
    prepare_toy,
    prepare_vegas_videos,
    prepare_vggsound,
    prepare_vggsound_videos,
    prepare_videos,
)
from sound2scene.data.selection.choice import Frame
from sound2scene.data.shards.read import Folder
from sound2scene.data.toy import world as toy
from sound2scene.types import InputError


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
        self,
        shards: str | None = None,
        videos: str = "data/toy/videos",
        frame: ToyFrame = "true",
        train_clips: int = 1280,
        **settings: Any,
    ) -> None:
        super().__init__(f"data/toy/shards-{frame}" if shards is None else shards, **settings)
        self.videos, self.frame, self.train_clips = videos, frame, train_clips

    def prepare_data(self) -> None:
        """Write videos and shards that are not there.

        Raises:
            InputError: If the shards that are there are of other moments or of another number of clips, or a
                localizer has not chosen the moments yet.
        """
        if is_missing(self.shards):
            if self.frame == "localizer":
                raise InputError(
                    f"{self.shards}: missing; run `sound2scene prepare toy --frame localizer -o "
                    f"{self.shards}`"
                )
            prepare_toy(self.shards, self.videos, self.frame, clips=toy.clip_counts(self.train_clips))
        notes = Folder(self.shards).card.get("notes", {})
        found = notes.get("frame"), notes.get("videos", {}).get("train")
        if found != (self.frame, self.train_clips):
            raise InputError(
                f"{self.shards}: holds pictures of the {found[0]} moment of {found[1]} training videos, not "
                "of the "
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

    def __init__(
        self, source: str, shards: str, five: bool = True, test_share: float = 0.2, **settings: Any
    ) -> None:
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

    def __init__(
        self, source: str, shards: str, val_share: float = 0.15, draw_seed: int = 0, **settings: Any
    ) -> None:
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
        classes: File with the class names to take, one per line; `50`: the published ones; None takes all
            309.
        val_share: Share of the training videos held out for validation.
        settings: Of ClipDataModule.
    """

    def __init__(
        self,
        source: str,
        table: str,
        shards: str,
        classes: str | None = None,
        val_share: float = 0.05,
        **settings: Any,
    ) -> None:
        super().__init__(shards, **settings)
        self.source, self.table, self.classes, self.val_share = source, table, classes, val_share

    def prepare_data(self) -> None:
        """Write shards that are not there."""
        if is_missing(self.shards):
            prepare_vggsound(self.shards, self.source, self.table, self.classes, self.val_share)


class VGGSoundVideosDataModule(ClipDataModule):
    """VGGSound's videos, in its official splits.

    Args:
        videos: Folder of the videos, searched recursively; names in any of VGGSound's spellings.
        table: `vggsound.csv`, plain or gzipped.
        shards: Folder of the shards.
        classes: File with the class names to take, or `50` for the published ones; None takes all 309.
        selection: File of the selected moments.
        frame: Moment of the videos without a selected one; None leaves them out, and is the middle without a
            selection.
        val_share: Share of the training videos held out for validation.
        settings: Of ClipDataModule.
    """

    def __init__(
        self,
        videos: str,
        table: str,
        shards: str,
        classes: str | None = None,
        selection: str | None = None,
        frame: Frame | None = None,
        val_share: float = 0.05,
        **settings: Any,
    ) -> None:
        super().__init__(shards, **settings)
        self.videos, self.table, self.classes, self.val_share = videos, table, classes, val_share
        self.selection, self.frame = selection, frame

    def prepare_data(self) -> None:
        """Write shards that are not there."""
        if is_missing(self.shards):
            prepare_vggsound_videos(
                self.shards,
                self.videos,
                self.table,
                self.classes,
                self.val_share,
                selection=self.selection,
                frame=self.frame,
            )


class VEGASVideosDataModule(ClipDataModule):
    """VEGAS's videos, one folder per class.

    Args:
        videos: Folder of the class folders.
        shards: Folder of the shards.
        five: Only the five classes of the paper's table.
        selection: File of the selected moments.
        frame: Moment of the videos without a selected one; None leaves them out, and is the middle without a
            selection.
        val_share: Share of the clips held out for validation.
        test_share: Share held out for the test.
        settings: Of ClipDataModule.
    """

    def __init__(
        self,
        videos: str,
        shards: str,
        five: bool = True,
        selection: str | None = None,
        frame: Frame | None = None,
        val_share: float = 0.1,
        test_share: float = 0.2,
        **settings: Any,
    ) -> None:
        super().__init__(shards, **settings)
        self.videos, self.five, self.selection, self.frame = videos, five, selection, frame
        self.val_share, self.test_share = val_share, test_share

    def prepare_data(self) -> None:
        """Write shards that are not there."""
        if is_missing(self.shards):
            prepare_vegas_videos(
                self.shards,
                self.videos,
                self.five,
                self.val_share,
                self.test_share,
                selection=self.selection,
                frame=self.frame,
            )


class VideosDataModule(ClipDataModule):
    """Any folder of videos.

    Args:
        videos: The folder, searched recursively.
        shards: Folder of the shards.
        labels: A CSV with the columns key, label and, optionally, split; `folders`: one folder per class;
            None: none.
        selection: File of the selected moments.
        frame: Moment of the videos without a selected one; None leaves them out, and is the middle without a
            selection.
        val_share: Share of the clips held out for validation.
        test_share: Share held out for the test, where `labels` has no splits.
        settings: Of ClipDataModule.
    """

    def __init__(
        self,
        videos: str,
        shards: str,
        labels: str | None = None,
        selection: str | None = None,
        frame: Frame | None = None,
        val_share: float = 0.1,
        test_share: float = 0.0,
        **settings: Any,
    ) -> None:
        super().__init__(shards, **settings)
        self.videos, self.labels, self.selection, self.frame = videos, labels, selection, frame
        self.val_share, self.test_share = val_share, test_share

    def prepare_data(self) -> None:
        """Write shards that are not there."""
        if is_missing(self.shards):
            prepare_videos(
                self.shards,
                self.videos,
                self.labels,
                self.val_share,
                self.test_share,
                selection=self.selection,
                frame=self.frame,
            )
