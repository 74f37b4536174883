"""Where the videos of a localizer's splits are, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sound2scene.data import settings
from sound2scene.data.batches.moments import Entry
from sound2scene.data.corpora.corpus import Corpus, check_shares
from sound2scene.data.corpora.labels import labels_of
from sound2scene.data.corpora.videos import folder_videos
from sound2scene.data.selection.choice import MomentChoice
from sound2scene.data.toy import world as toy
from sound2scene.data.toy.truth import Truth
from sound2scene.data.vggsound.annotations import read_vggss
from sound2scene.data.vggsound.jobs import vggsound_videos
from sound2scene.data.vggsound.names import clip_name
from sound2scene.data.vggsound.table import read_classes, read_table
from sound2scene.data.video.clip import VideoJob
from sound2scene.moments import Known
from sound2scene.ranges import BATCH, check
from sound2scene.types import CLIP_S, InputError


class ToyVideos:
    """The toy world's videos, whose truth is known.

    Args:
        folder: Folder of the videos; a world that is complete is taken as it is, whatever its size.
        train_clips: Videos to train on, if the world has to be written; `val` and `test` then have 256.
    """

    name = toy.NAME
    classes: Sequence[str] = toy.KINDS

    def __init__(
        self, folder: str = settings.TOY_VIDEOS, train_clips: int = settings.TOY_TRAIN_CLIPS
    ) -> None:
        check("data.splits", BATCH, train_clips=train_clips)
        self.folder, self.train_clips = Path(folder), train_clips

    def prepare(self) -> None:
        """Write the videos that are not there."""
        counts = toy.clip_counts(self.train_clips)
        if not all((self.folder / split / "truth.jsonl").exists() for split in counts):
            toy.write_videos(self.folder, counts, settings.TOY_MIXED, 0)

    def entries(self, split: str) -> list[Entry]:
        """Videos with one source, in the order of their numbers."""
        truths = [truth for truth in toy.read_truth(self.folder, split) if truth.label is not None]
        return [
            Entry(truth.key, str(self.folder / split / f"{truth.key}.mp4"), truth.label, known(truth))
            for truth in truths
        ]


def known(truth: Truth) -> Known:
    """When and where the source of a toy clip sounds and shows."""
    source = truth.sources[0]
    return Known((source.start_s, source.end_s), (source.box,), source.middle_s)


class FolderVideos:
    """Any folder of videos; nothing is known of where and when a source sounds.

    Args:
        folder: Folder of the videos, searched recursively.
        labels: A CSV with the columns key, label and, optionally, split; `folders` makes the first folder of
            a path its class; None knows no classes.
        val_share: Share of the videos held out for validation, by a hash of the name.
        test_share: Share of the videos held out for the test, where `labels` has no splits.
    """

    def __init__(
        self,
        folder: str,
        labels: str | None = None,
        val_share: float = settings.VIDEOS_VAL_SHARE,
        test_share: float = settings.VIDEOS_TEST_SHARE,
    ) -> None:
        check_shares(val_share, test_share, "data.splits")
        self.folder, self.labels, self.shares = folder, labels, (val_share, test_share)
        self._splits: dict[str, list[Entry]] | None = None

    @property
    def name(self) -> str:
        """Name of the folder."""
        return Path(self.folder).resolve().name

    @property
    def classes(self) -> Sequence[str]:
        """Labels in the alphabet's order; none where there are no labels."""
        return sorted({entry.label for found in self._found().values() for entry in found if entry.label})

    def entries(self, split: str) -> list[Entry]:
        """Videos of a split.

        Raises:
            InputError: If folder or labels cannot be read, or there are no videos.
        """
        return _some(self._found(), split, self.folder, "add some, or give it a share")

    def _found(self) -> dict[str, list[Entry]]:
        if self._splits is None:
            found = folder_videos(self.folder, MomentChoice(), labels_of(self.labels), self.shares)
            self._splits = _entries(found)
        return self._splits


class VGGSoundVideos:
    """VGGSound's videos in its official splits; validation is held out of `train` by whole videos.

    Args:
        folder: Folder of the videos, searched recursively; names in any of VGGSound's spellings.
        csv: VGGSound's `vggsound.csv`, plain or gzipped.
        boxes: VGG-SS, `lvs_vggss.json`: with it, `val` and `test` hold the clips of the official test split
            that have boxes, for nothing else has any; a checkpoint is then chosen on the even ones and `test`
            has the odd ones.
        classes: File with the class names to take, or `50` for the published ones; None takes all 309.
        val_share: Share of the training videos held out for validation, without boxes.
    """

    name = "vggsound"

    def __init__(
        self,
        folder: str,
        csv: str,
        boxes: str | None = None,
        classes: str | None = None,
        val_share: float = settings.VGGSOUND_VAL_SHARE,
    ) -> None:
        check_shares(val_share, where="data.splits")
        self.folder, self.csv, self.boxes, self.val_share = folder, csv, boxes, val_share
        self.names = None if classes is None else read_classes(classes)
        self._splits: dict[str, list[Entry]] | None = None

    @property
    def classes(self) -> Sequence[str]:
        """Class names, sorted where all 309 are taken."""
        if self.names is None:
            self.names = sorted({row.label for row in read_table(self.csv).values()})
        return self.names

    def entries(self, split: str) -> list[Entry]:
        """Videos of a split.

        Raises:
            InputError: If folder, table or boxes cannot be read, or there are none.
        """
        if self._splits is None:
            self._splits = self._found()
        return _some(self._splits, split, self.folder, "download some, or check the table")

    def _found(self) -> dict[str, list[Entry]]:
        moments = MomentChoice(spelling=clip_name)
        splits = _entries(
            vggsound_videos(self.folder, read_table(self.csv), moments, self.classes, self.val_share)
        )
        if self.boxes is None:
            return splits
        boxes = read_vggss(self.boxes)
        known = [
            Entry(entry.key, entry.path, entry.label, Known(None, boxes[entry.key], CLIP_S / 2))
            for entry in splits["test"]
            if entry.key in boxes
        ]
        return {"train": splits["train"] + splits["val"], "val": known[::2], "test": known[1::2]}


def _entries(corpus: Corpus[VideoJob]) -> dict[str, list[Entry]]:
    return {
        split: [Entry(job["key"], job["video"], job["label"]) for job in corpus.jobs.get(split, ())]
        for split in ("train", "val", "test")
    }


def _some(splits: dict[str, list[Entry]], split: str, folder: str, remedy: str) -> list[Entry]:
    if not splits[split]:
        raise InputError(f"{folder}: no video of the split {split}; {remedy}")
    return splits[split]
