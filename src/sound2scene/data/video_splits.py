"""Where the videos of a localizer's splits are, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sound2scene.data import toy
from sound2scene.data.toy_truth import Truth
from sound2scene.data.videos import Entry
from sound2scene.moments import Known


class ToyVideos:
    """The toy world's videos, whose truth is known.

    Args:
        folder: Of the videos; a world that is complete is taken as it is, whatever its size.
        train_clips: Videos to train on, if it has to be written; `val` and `test` then have 256.
    """

    classes: Sequence[str] = toy.KINDS

    def __init__(self, folder: str = "data/toy/videos", train_clips: int = 1280) -> None:
        self.folder, self.train_clips = Path(folder), train_clips

    def prepare(self) -> None:
        """Write the videos that are not there."""
        counts = toy.clip_counts(self.train_clips)
        if not all((self.folder / split / "truth.jsonl").exists() for split in counts):
            toy.write_videos(self.folder, counts, toy.MIXED, 0)

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
