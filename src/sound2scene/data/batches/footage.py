"""Whole videos for scoring, decoded one at a time in worker processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset

from sound2scene.data.batches.moments import as_moments
from sound2scene.data.video.decode import decode
from sound2scene.data.video.errors import VideoError
from sound2scene.distributed import world
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


class FootageModule(pl.LightningDataModule):
    """Every video once: rank r of n decodes videos r, r + n, ...; some ranks may get one less, or none.

    All share the first rank's list: one that began earlier than it, while it waited for another run, knows of
    less that is done.

    Args:
        videos: File of each key.
        side_px: Side of the frames.
        workers: Decoding processes per process.
    """

    def __init__(self, videos: Mapping[str, Path], side_px: int, workers: int = 2) -> None:
        super().__init__()
        self.videos, self.side_px, self.workers = videos, side_px, workers
        self.allow_zero_length_dataloader_with_multiple_devices = True

    def setup(self, stage: str) -> None:
        """Take the first rank's list."""
        if self.trainer is not None:
            self.videos = self.trainer.strategy.broadcast(self.videos)

    def predict_dataloader(self) -> DataLoader[Footage]:
        """This process's share, one video at a time."""
        rank, ranks = world()
        dataset = FootageDataset(list(self.videos.items())[rank::ranks], self.side_px)
        return DataLoader(dataset, batch_size=1, num_workers=self.workers, collate_fn=_single)


def _single(footage: list[Footage]) -> Footage:
    return footage[0]
