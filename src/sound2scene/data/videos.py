"""Videos as a localizer learns from them: moments drawn from each, decoded as they are needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from torch.utils.data import DataLoader

from sound2scene.data.batches.moments import Entry, MomentReader
from sound2scene.data.batches.resumable import ResumableDataModule
from sound2scene.data.batches.sampler import WholeSplitSampler, fixed_sample
from sound2scene.distributed import world


class Splits(Protocol):
    """Where the videos of each split are."""

    classes: Sequence[str]

    def entries(self, split: str) -> list[Entry]:
        """Videos of `train`, `val` or `test`.

        Raises:
            InputError: If there are none.
        """
        ...


class VideoDataModule(ResumableDataModule):
    """Streams videos to a localizer: drawn moments to train on, whole videos to measure on.

    Args:
        splits: Where the videos are.
        batch_size: Videos per process.
        moments: Frames drawn from each in a pass.
        workers: Loader processes per process.
        seed: Of order and draw.
        measured: At most so many videos in validation, spread evenly; a whole video costs as much as many
            draws.
    """

    def __init__(
        self,
        splits: Splits,
        batch_size: int = 32,
        moments: int = 4,
        workers: int = 2,
        seed: int = 0,
        measured: int | None = None,
    ) -> None:
        super().__init__(batch_size, workers, seed)
        self.splits, self.moments, self.measured = splits, moments, measured
        self.side_px, self.window_s = 224, 1.0

    @property
    def classes(self) -> Sequence[str]:
        """Class names in the order of their indices."""
        return self.splits.classes

    def use_frames(self, side_px: int, window_s: float) -> None:
        """Say what the network looks at: side of the frames and length of the sound around each."""
        self.side_px, self.window_s = side_px, window_s

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
        """Of the names, sizes and labels of each split's files."""
        return {split: self._fingerprint(split) for split in ("train", "val")}

    def _fingerprint(self, split: str) -> str:
        sha = hashlib.sha256()
        for entry in self.splits.entries(split):
            sha.update(json.dumps([entry.key, Path(entry.path).stat().st_size, entry.label]).encode())
        return sha.hexdigest()

    def _reader(self, split: str, moments: int | None) -> MomentReader:
        return MomentReader(
            self.entries(split), self.classes, self.side_px, self.window_s, moments, self.seed
        )

    def train_dataloader(self) -> DataLoader[Any]:
        """Whole global batches of drawn moments in the order of (seed, epoch)."""
        reader = self._reader("train", self.moments)
        return self._loader(reader, self._epochs(len(reader)))

    def val_dataloader(self) -> DataLoader[Any]:
        """Every measured video of `val` once, whole."""
        return self._whole("val")

    def test_dataloader(self) -> DataLoader[Any]:
        """Every video of `test` once, whole."""
        return self._whole("test")

    def _whole(self, split: str) -> DataLoader[Any]:
        reader = self._reader(split, None)
        return self._loader(reader, WholeSplitSampler(len(reader), *world()), batch_size=1)
