"""Whole videos for scoring, decoded one at a time in worker processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch.utils.data import Dataset

from sound2scene.data.batches.moments import as_moments
from sound2scene.data.batches.shares import ShareModule
from sound2scene.data.video.decode import decode
from sound2scene.data.video.errors import VideoError
from sound2scene.moments import Footage, Refused


class FootageDataset(Dataset[Footage]):
    """Decoded videos.

    Args:
        videos: Key and file of each.
        side_px: Side of the frames.
    """

    def __init__(self, videos: Sequence[tuple[str, Path]], side_px: int) -> None:
        self.videos, self.side_px = videos, side_px

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, position: int) -> Footage:
        key, path = self.videos[position]
        try:
            decoded = decode(path, self.side_px)
        except VideoError as error:
            return Footage(key, Refused(error.kind, str(error)), 0.0)
        return Footage(key, as_moments(key, decoded), decoded.duration_s)


class FootageModule(ShareModule[tuple[str, Path], Footage]):
    """Every video once, shared by all processes.

    Args:
        videos: File of each key.
        side_px: Side of the frames.
        workers: Decoding processes per process.
    """

    def __init__(self, videos: Mapping[str, Path], side_px: int, workers: int = 2) -> None:
        super().__init__(list(videos.items()), workers)
        self.side_px = side_px

    def dataset(self, items: list[tuple[str, Path]]) -> FootageDataset:
        """Videos of one process."""
        return FootageDataset(items, self.side_px)
