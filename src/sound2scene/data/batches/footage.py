"""Whole videos for scoring, decoded one at a time in worker processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from sound2scene.data.batches.moments import as_moments
from sound2scene.data.batches.shares import ShareModule
from sound2scene.data.video.decode import decode
from sound2scene.data.video.errors import VideoError
from sound2scene.moments import Footage, Refused


class FootageDataset(Dataset[Any]):
    """Decoded videos, or what is made of each.

    Args:
        videos: Key and file of each.
        side_px: Side of the frames.
        then: What the decoding process does with a video; by default it hands it over.
    """

    def __init__(
        self,
        videos: Sequence[tuple[str, Path]],
        side_px: int,
        then: Callable[[Footage], Any] | None = None,
    ) -> None:
        self.videos, self.side_px, self.then = videos, side_px, then

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, position: int) -> Any:
        footage = self._decoded(*self.videos[position])
        return footage if self.then is None else self.then(footage)

    def _decoded(self, key: str, path: Path) -> Footage:
        try:
            decoded = decode(path, self.side_px)
        except VideoError as error:
            return Footage(key, Refused(error.kind, str(error)), 0.0)
        return Footage(key, as_moments(key, decoded), decoded.duration_s)


class FootageModule(ShareModule[tuple[str, Path], Any]):
    """Every video once, shared by all processes.

    Args:
        videos: File of each key.
        side_px: Side of the frames.
        workers: Decoding processes per process.
        then: What a decoding process does with each video; by default it hands it over.
    """

    def __init__(
        self,
        videos: Mapping[str, Path],
        side_px: int,
        workers: int = 2,
        then: Callable[[Footage], Any] | None = None,
    ) -> None:
        super().__init__(list(videos.items()), workers)
        self.side_px, self.then = side_px, then

    def dataset(self, items: list[tuple[str, Path]]) -> FootageDataset:
        """Videos of one process."""
        return FootageDataset(items, self.side_px, self.then)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Move videos alone: what was made of one stays, and Lightning would refuse to look into a choice."""
        moved = isinstance(batch, Footage)
        return super().transfer_batch_to_device(batch, device, dataloader_idx) if moved else batch
