"""One DataModule per corpus: each names a source and a folder, and writes shards that are missing."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

from sound2scene.data import prepare
from sound2scene.data import settings as default
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.corpora.corpus import check_shares
from sound2scene.data.settings import MomentRule, MomentSettings, ToyMomentRule
from sound2scene.data.toy.world import clip_counts
from sound2scene.ranges import BATCH, SEED, WIDTH, check
from sound2scene.types import InputError


class CorpusDataModule(ClipDataModule):
    """Shards that are made of a corpus if they are missing; those at an address are read, never written."""

    val_share: float
    test_share: float

    @abstractmethod
    def _write(self) -> Path:
        """Write the shards."""

    def _hold_out(self, val_share: float, test_share: float = 0.0) -> None:
        """Keep the shares of the clips that are held out.

        Raises:
            InputError: If one is no share, or nothing is left to train on.
        """
        check_shares(val_share, test_share, "data")
        self.val_share, self.test_share = val_share, test_share

    def prepare_data(self) -> None:
        """Write the shards if they are missing."""
        if prepare.is_missing(self.shards):
            self._write()


class ToyDataModule(CorpusDataModule):
    """The procedural toy world.

    Args:
        shards: Folder of the shards; None is `data/toy/shards-<frame>`.
        videos: Folder of the videos, which are written where they are missing.
        frame: Moment of the picture.
        train_clips: Clips of one source to train on; val and test have 256 each, and to four clips of one
            source comes one of two.
        selection: File of the moments that a localizer chose, for the frames that name one.
        settings: Settings of ClipDataModule.
    """

    def __init__(
        self,
        shards: str | None = None,
        videos: str = default.TOY_VIDEOS,
        frame: ToyMomentRule = default.TOY_MOMENT,
        train_clips: int = default.TOY_TRAIN_CLIPS,
        selection: str | None = None,
        **settings: Any,
    ) -> None:
        check("data", BATCH, train_clips=train_clips)
        super().__init__(f"data/toy/shards-{frame}" if shards is None else shards, **settings)
        self.videos, self.frame, self.train_clips, self.selection = videos, frame, train_clips, selection

    def _write(self) -> Path:
        if self.frame in default.TOY_BEST and self.selection is None:
            raise InputError(
                f"{self.shards}: missing; run `sound2scene prepare toy --frame {self.frame} -o {self.shards}`"
            )
        counts = clip_counts(self.train_clips)
        return prepare.prepare_toy(self.shards, self.videos, self.frame, self.selection, counts)

    def prepare_data(self) -> None:
        """Write videos and shards if they are missing.

        Raises:
            InputError: If the shards that are there are of other moments or of another number of clips, or a
                localizer has not chosen the moments yet.
        """
        super().prepare_data()
        notes = self.folder.notes
        frame, clips = notes.get("frame"), notes.get("videos", {}).get("train")
        if (frame, clips) != (self.frame, self.train_clips):
            raise InputError(
                f"{self.shards}: holds pictures of the {frame} moment of {clips} training videos, not of the "
                f"{self.frame} moment of {self.train_clips}; name another folder in data.init_args.shards"
            )


class FolderDataModule(CorpusDataModule):
    """A folder of pictures and sounds.

    Args:
        source: Folder with `images/` and `audios/`, or one such folder per class.
        shards: Folder of the shards.
        val_share: Share of the clips held out for validation.
        test_share: Share of the clips held out for the test.
        settings: Settings of ClipDataModule.
    """

    def __init__(
        self,
        source: str,
        shards: str,
        val_share: float = default.FOLDER_VAL_SHARE,
        test_share: float = default.FOLDER_TEST_SHARE,
        **settings: Any,
    ) -> None:
        super().__init__(shards, **settings)
        self._hold_out(val_share, test_share)
        self.source = source

    def _write(self) -> Path:
        return prepare.prepare_folder(self.shards, self.source, self.val_share, self.test_share)


class ManifestDataModule(CorpusDataModule):
    """Pictures and sounds of a CSV manifest: a pair in each row, or files of one class, drawn as pairs.

    Args:
        source: Manifest, a CSV.
        shards: Folder of the shards.
        val_share: Share of the training groups held out for validation.
        draw_seed: Seed of the draw of pairs.
        settings: Settings of ClipDataModule.
    """

    def __init__(
        self,
        source: str,
        shards: str,
        val_share: float = default.MANIFEST_VAL_SHARE,
        draw_seed: int = 0,
        **settings: Any,
    ) -> None:
        super().__init__(shards, **settings)
        self._hold_out(val_share)
        check("data", SEED, draw_seed=draw_seed)
        self.source, self.draw_seed = source, draw_seed

    def _write(self) -> Path:
        return prepare.prepare_manifest(self.shards, self.source, self.val_share, self.draw_seed)


class VideoCorpusDataModule(CorpusDataModule):
    """Shards that are made of videos, of which moments become pictures.

    Args:
        shards: Folder of the shards.
        selection: File of the selected moments, ours or of the published layout.
        frame: Moment of the videos without a selected one; None leaves them out, and is the middle without a
            selection.
        side_px: Most pixels of a picture's short side.
        settings: Settings of ClipDataModule.
    """

    def __init__(
        self,
        shards: str,
        selection: str | None = None,
        frame: MomentRule | None = None,
        side_px: int = default.SHORT_SIDE_PX,
        **settings: Any,
    ) -> None:
        super().__init__(shards, **settings)
        check("data", WIDTH, side_px=side_px)
        self.moments = MomentSettings(selection, frame, side_px)


class VGGSoundDataModule(VideoCorpusDataModule):
    """VGGSound in its official splits.

    Args:
        source: Folder of the videos, searched recursively, or folder with `images/` and `audios/`; names in
            any of VGGSound's spellings.
        table: VGGSound's `vggsound.csv`, plain or gzipped.
        shards: Folder of the shards.
        classes: File with the class names to take, or `50` for the published ones; None takes all 309.
        val_share: Share of the training videos held out for validation.
        settings: Settings of VideoCorpusDataModule and ClipDataModule.
    """

    def __init__(
        self,
        source: str,
        table: str,
        shards: str,
        classes: str | None = None,
        val_share: float = default.VGGSOUND_VAL_SHARE,
        **settings: Any,
    ) -> None:
        super().__init__(shards, **settings)
        self._hold_out(val_share)
        self.source, self.table, self.classes = source, table, classes

    def _write(self) -> Path:
        return prepare.prepare_vggsound(
            self.shards, self.source, self.table, self.classes, self.val_share, moments=self.moments
        )


class VEGASDataModule(VideoCorpusDataModule):
    """VEGAS, split by a hash of the clips' names.

    Args:
        source: Folder with one folder per class: of videos, or of `images/` and `audios/`.
        shards: Folder of the shards.
        five: Whether to take only the five classes of the paper's table.
        val_share: Share of the clips held out for validation.
        test_share: Share of the clips held out for the test.
        settings: Settings of VideoCorpusDataModule and ClipDataModule.
    """

    def __init__(
        self,
        source: str,
        shards: str,
        five: bool = default.VEGAS_FIVE,
        val_share: float = default.VEGAS_VAL_SHARE,
        test_share: float = default.VEGAS_TEST_SHARE,
        **settings: Any,
    ) -> None:
        super().__init__(shards, **settings)
        self._hold_out(val_share, test_share)
        self.source, self.five = source, five

    def _write(self) -> Path:
        return prepare.prepare_vegas(
            self.shards, self.source, self.five, self.val_share, self.test_share, moments=self.moments
        )


class VideosDataModule(VideoCorpusDataModule):
    """Any folder of videos.

    Args:
        source: Folder of the videos, searched recursively.
        shards: Folder of the shards.
        labels: A CSV with the columns key, label and, optionally, split; `folders` makes the first folder of
            a path its class; None knows no classes.
        val_share: Share of the clips held out for validation, where `labels` has no split `val`.
        test_share: Share of the clips held out for the test, where `labels` has no splits.
        settings: Settings of VideoCorpusDataModule and ClipDataModule.
    """

    def __init__(
        self,
        source: str,
        shards: str,
        labels: str | None = None,
        val_share: float = default.VIDEOS_VAL_SHARE,
        test_share: float = default.VIDEOS_TEST_SHARE,
        **settings: Any,
    ) -> None:
        super().__init__(shards, **settings)
        self._hold_out(val_share, test_share)
        self.source, self.labels = source, labels

    def _write(self) -> Path:
        return prepare.prepare_videos(
            self.shards, self.source, self.labels, self.val_share, self.test_share, moments=self.moments
        )
