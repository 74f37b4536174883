"""Videos as a localizer learns from them: moments drawn from each, decoded as they are needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from torch.utils.data import DataLoader

from sound2scene.data.batches.moments import Entry, Look, MomentReader, VideoReader
from sound2scene.data.batches.resumable import ResumableDataModule
from sound2scene.data.batches.sampler import WholeSplitSampler, fixed_sample
from sound2scene.distributed import world
from sound2scene.ranges import POSITIVE, WIDTH, check
from sound2scene.types import DataFacts


class VideoSplits(Protocol):
    """Where the videos of each split are."""

    classes: Sequence[str]

    def entries(self, split: str) -> list[Entry]:
        """Videos of `train`, `val` or `test`.

        Raises:
            InputError: If there are none.
        """
        ...


class MomentsDataModule(ResumableDataModule):
    """Streams videos to a localizer: drawn moments to train on, whole videos to measure on.

    Args:
        splits: Where the videos are.
        batch_size: Videos per process.
        moments: Frames drawn from each in a pass.
        workers: Loader processes per process.
        seed: Seed of order and draw.
        measured: Most videos in validation, a fixed sample; a whole video costs as much as many draws.
        side_px: Side of the square frames, as the network looks at them.
        window_s: Length of the sound around a frame, as the network hears it.
    """

    def __init__(
        self,
        splits: VideoSplits,
        batch_size: int = 32,
        moments: int = 4,
        workers: int = 2,
        seed: int = 0,
        measured: int | None = None,
        side_px: int = 224,
        window_s: float = 1.0,
    ) -> None:
        super().__init__(batch_size, workers, seed)
        check("data", WIDTH, moments=moments, measured=measured, side_px=side_px)
        check("data", POSITIVE, window_s=window_s)
        self.splits, self.moments, self.measured = splits, moments, measured
        self.look = Look(side_px, window_s)

    @property
    def classes(self) -> Sequence[str]:
        """Class names in the order of their indices."""
        return self.splits.classes

    def facts(self) -> DataFacts:
        """The classes, and what the videos are called, where their splits say so."""
        return DataFacts(tuple(self.classes), name=str(getattr(self.splits, "name", "")))

    def entries(self, split: str) -> list[Entry]:
        """Videos of a split; of `val` those that are measured."""
        found = self.splits.entries(split)
        return fixed_sample(found, self.measured) if split == "val" and self.measured is not None else found

    def prepare_data(self) -> None:
        """Let the splits write what is not there, where they can."""
        prepare = getattr(self.splits, "prepare", None)
        if prepare is not None:
            prepare()

    def fingerprints(self) -> dict[str, str]:
        """Fingerprint of the names, sizes and labels of each split's files."""
        return {split: self._fingerprint(split) for split in ("train", "val")}

    def _fingerprint(self, split: str) -> str:
        sha = hashlib.sha256()
        for entry in self.splits.entries(split):
            sha.update(json.dumps([entry.key, Path(entry.path).stat().st_size, entry.label]).encode())
        return sha.hexdigest()

    def train_dataloader(self) -> DataLoader[Any]:
        """Whole global batches of drawn moments in the order of (seed, epoch)."""
        reader = MomentReader(self.entries("train"), self.classes, self.look, self.moments, self.seed)
        return self._loader(reader, self._epochs(len(reader)))

    def val_dataloader(self) -> DataLoader[Any]:
        """Every measured video of `val` once, whole."""
        return self._whole("val")

    def test_dataloader(self) -> DataLoader[Any]:
        """Every video of `test` once, whole."""
        return self._whole("test")

    def _whole(self, split: str) -> DataLoader[Any]:
        reader = VideoReader(self.entries(split), self.classes, self.look)
        return self._loader(reader, WholeSplitSampler(len(reader), *world()), batch_size=1)
