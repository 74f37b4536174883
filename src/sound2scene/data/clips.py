"""DataModules over splits of clips: batches out, exact under DDP and after a restart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch.utils.data import DataLoader

from sound2scene.data.batches.frozen_encoder import Features, FrozenFeatures
from sound2scene.data.batches.resumable import ResumableDataModule
from sound2scene.data.batches.sampler import Draw, WholeSplitSampler
from sound2scene.data.reading import Reading, ReadPairs
from sound2scene.data.shards.read import Folder, ShardDataset
from sound2scene.distributed import world
from sound2scene.lightning import device_of
from sound2scene.protocols import Pictures
from sound2scene.types import DataFacts, InputError

SPLITS_OF = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",), "predict": ("val",)}


class SplitDataModule(ResumableDataModule, ABC):
    """Streams splits `train`, `val` and `test` of whatever holds pictures.

    Training drops only the ragged last global batch, evaluation reads every clip exactly once, the order
    depends on (seed, epoch) alone, and a run restarted from a checkpoint goes on at the next clip. The test
    split is read by `test` alone. Where a frozen image encoder is named, and the batches hold its features,
    those of the splits that a run reads are computed before the first batch, once for all runs.

    Args:
        batch_size: Clips per process.
        workers: Loader processes per process.
        seed: Seed of order and augmentation.
        read: What the batches hold; pairs of sound and feature by default.
        features: Frozen image encoder whose features come with the batches.
    """

    def __init__(
        self,
        batch_size: int = 64,
        workers: int = 2,
        seed: int = 0,
        read: Reading | None = None,
        features: Features | None = None,
    ) -> None:
        super().__init__(batch_size, workers, seed)
        self.read: Reading = read or ReadPairs()
        self.features = features
        self._frozen: FrozenFeatures | None = None
        self._splits: dict[str, Pictures] = {}
        self._used: tuple[str, ...] = ()

    @abstractmethod
    def open(self, split: str) -> Pictures:
        """Open a split."""

    @abstractmethod
    def fingerprints(self) -> dict[str, str]:
        """Fingerprint of the data of each split."""

    def data_name(self) -> str:
        """What the data is called, for the cards of what learns from it; empty where no one says."""
        return ""

    def dataset(self, split: str) -> Pictures:
        """A split, clip by clip: pictures, labels, and where it has them sounds; it is opened once."""
        if split not in self._splits:
            self._splits[split] = self.open(split)
        return self._splits[split]

    def setup(self, stage: str) -> None:
        """Compute or find the features of the splits that this run reads; every process calls it."""
        self._used = SPLITS_OF[stage]
        if self.features is not None:
            device = torch.device("cpu") if self.trainer is None else device_of(self.trainer)
            self._frozen = FrozenFeatures(self.features, self.workers, device)
            for split in self._used:
                # A reading asks for what it hands over, but first refuses a split that it cannot read.
                self.read.evaluation(self.dataset(split), self._frozen)

    def facts(self) -> DataFacts:
        """Classes, splits without labels, and the image encoder, of the splits that this run reads.

        Raises:
            InputError: If two of them have other classes, so that one index would mean two things.
        """
        found = {split: self.dataset(split) for split in self._used}
        unlabelled = tuple(split for split, one in found.items() if not (one.label_N >= 0).any())
        named = [tuple(one.classes) for one in found.values() if one.classes]
        classes = named[0] if named else ()
        if any(other != classes for other in named):
            odd = ", ".join(sorted({*named[0]} ^ {*named[-1]})[:3])
            raise InputError(
                f"splits {' and '.join(found)} differ in their classes ({odd}); give each split a folder for "
                "every class"
            )
        encoder = None if self._frozen is None else self._frozen.facts
        return DataFacts(classes, unlabelled, encoder, self.data_name() if found else "")

    def examples(self, split: str, positions: Sequence[int]) -> Any:
        """Certain clips of a split that this run reads, as a batch of evaluation."""
        reader = self.read.evaluation(self.dataset(split), self._frozen)
        return reader.collate([reader[Draw(0, position)] for position in positions])

    def train_dataloader(self) -> DataLoader[Any]:
        """Whole global batches in the order of (seed, epoch)."""
        split = self.dataset("train")
        sampler = self._epochs(len(split))  # an error of the batch size comes before any work
        return self._loader(self.read.training(split, self._frozen, self.seed), sampler)

    def val_dataloader(self) -> DataLoader[Any]:
        """Every clip of `val` once."""
        return self._whole("val")

    def test_dataloader(self) -> DataLoader[Any]:
        """Every clip of `test` once."""
        return self._whole("test")

    def predict_dataloader(self) -> DataLoader[Any]:
        """Every clip of `val` once; the test split is for `test` alone."""
        return self._whole("val")

    def _whole(self, split: str) -> DataLoader[Any]:
        clips = self.dataset(split)
        return self._loader(
            self.read.evaluation(clips, self._frozen), WholeSplitSampler(len(clips), *world())
        )


class ClipDataModule(SplitDataModule):
    """Streams a dataset of shards.

    Args:
        shards: Folder or address of the dataset.
        batch_size: Clips per process.
        workers: Loader processes per process.
        seed: Seed of order and augmentation.
        read: What the batches hold; pairs of sound and feature by default.
        features: Frozen image encoder whose features come with the batches.
    """

    def __init__(
        self,
        shards: str,
        batch_size: int = 64,
        workers: int = 2,
        seed: int = 0,
        read: Reading | None = None,
        features: Features | None = None,
    ) -> None:
        super().__init__(batch_size, workers, seed, read, features)
        self.shards = shards

    @cached_property
    def folder(self) -> Folder:
        """The dataset, opened once."""
        return Folder(self.shards)

    def open(self, split: str) -> ShardDataset:
        """Open a split of the shards."""
        return ShardDataset(self.folder, split)

    def data_name(self) -> str:
        """The name in `dataset.json`."""
        return self.folder.card.get("name", "")

    def fingerprints(self) -> dict[str, str]:
        """Fingerprint of the data of each split."""
        return self.folder.fingerprints()

    def coverage(self) -> dict[str, dict[str, int]]:
        """Clips prepared, found and expected in each split of the source; empty where it was not counted."""
        return self.folder.coverage()


def clips_of(data: object) -> SplitDataModule:
    """The data of a run, for callbacks that show or measure its clips.

    Raises:
        InputError: If it has no splits of clips.
    """
    if not isinstance(data, SplitDataModule):
        raise InputError(f"{type(data).__name__} has no clips to show or measure; remove the callback")
    return data
