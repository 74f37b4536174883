"""The LightningDataModule of every dataset: shards in, batches out, exact under DDP and after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor, nn
from torch.utils.data import DataLoader, default_collate

from sound2scene import images
from sound2scene.data.batches.features import Encode, FeatureCache
from sound2scene.data.batches.instances import InstanceReader, Instances, mirrored
from sound2scene.data.batches.neighbours import cached_nearest
from sound2scene.data.batches.reader import ClipReader, Field
from sound2scene.data.batches.resumable import ResumableDataModule
from sound2scene.data.batches.sampler import Draw, WholeSplitSampler
from sound2scene.data.shards.read import Folder, ShardDataset
from sound2scene.data.shards.report import covered
from sound2scene.distributed import barrier, world
from sound2scene.types import Batch


class ClipDataModule(ResumableDataModule):
    """Streams a dataset of shards; splits `train`, `val` and `test`.

    Training drops only the ragged last global batch, evaluation reads every clip exactly once, the order
    depends on (seed, epoch) alone, and a run restarted from a checkpoint goes on at the next clip.

    Args:
        shards: Folder or address of the dataset.
        batch_size: Clips per process.
        workers: Loader processes per process.
        seed: Of order and augmentation.
        read: What training reads of each clip.
        image_preset: Chain for pictures when `image` is read in evaluation (and in training without
            `image_augment`).
        image_augment: Random change of the training pictures, or random crops of them (`MultiCrop`).
        sound_augment: Random change of the training sounds.
    """

    def __init__(
        self,
        shards: str,
        batch_size: int = 64,
        workers: int = 2,
        seed: int = 0,
        read: Sequence[Field] = ("waveform",),
        image_preset: str = "squeeze",
        image_augment: nn.Module | None = None,
        sound_augment: nn.Module | None = None,
    ) -> None:
        super().__init__(batch_size, workers, seed)
        self.shards, self.read = shards, read
        self.image = images.preset(image_preset)
        self.image_augment, self.sound_augment = image_augment, sound_augment
        self.features: dict[str, FeatureCache] = {}
        self.instances: Instances | None = None

    def dataset(self, split: str) -> ShardDataset:
        """A split, clip by clip: pictures, sounds, labels, metadata."""
        return ShardDataset(self.shards, split)

    def examples(self, split: str, positions: Sequence[int]) -> Batch:
        """Certain clips of a split as a batch of evaluation."""
        reader = ClipReader(self.dataset(split), self.read, self.image, features=self.features.get(split))
        return reader.collate([reader[Draw(0, position)] for position in positions])

    def fingerprints(self) -> dict[str, str]:
        """Fingerprint of the data of each split."""
        return {split: card["fingerprint"] for split, card in Folder(self.shards).card["splits"].items()}

    def coverage(self) -> dict[str, dict[str, int]]:
        """Clips prepared, found and expected in each split of the source; empty where it was not counted."""
        return covered(Folder(self.shards).card)

    def use_features(
        self, splits: Sequence[str], encode: Encode, fingerprint: str, preset: str, root: str
    ) -> None:
        """Hand over cached image features with every batch of `splits`; compute those that are not on disk yet.

        Args:
            splits: Which.
            encode: Frozen image encoder, (B, 3, H, W) on the CPU to (B, D).
            fingerprint: Of its weights.
            preset: Image chain that it was trained with.
            root: Folder of the caches.
        """
        for split in splits:
            self.features[split] = self.cached(split, encode, fingerprint, preset, root)

    def use_instances(
        self, side: int, neighbours: int, encode: Encode, fingerprint: str, preset: str, root: str
    ) -> None:
        """Let training batches be what an instance-conditioned GAN learns from; needs the features of `train`.

        Args:
            side: Pixels of a real picture.
            neighbours: Nearest pictures among which an instance's real one is drawn.
            encode: As for `use_features`, and so are the others; the features of mirrored pictures are cached
                too.
            fingerprint: Of the encoder.
            preset: Image chain.
            root: Folder of the caches.
        """
        flipped = self.cached("train", encode, fingerprint, preset, root, flip=True)
        found_NK = cached_nearest(self.features["train"], neighbours)
        self.instances = Instances(side, found_NK, self.features["train"], flipped)

    def cached(
        self, split: str, encode: Encode, fingerprint: str, preset: str, root: str, flip: bool = False
    ) -> FeatureCache:
        """Features of a split's pictures, computed where they are not on disk yet; every process calls it.

        Args:
            split: Which.
            encode: Frozen network, one batch of pictures on the CPU to (B, D).
            fingerprint: Of its weights.
            preset: Image chain that feeds it.
            root: Folder of the caches.
            flip: Mirror the pictures.
        """
        shards, chain = self.dataset(split), images.preset(preset)
        cache = FeatureCache(
            root, fingerprint, f"{preset}, mirrored" if flip else preset, shards.fingerprint, len(shards)
        )
        reader = ClipReader(shards, ["image"], (lambda picture: chain(mirrored(picture))) if flip else chain)
        rank, ranks = world()
        self._fill(cache, reader, [block for block in cache.missing() if block % ranks == rank], encode)
        barrier()
        self._fill(cache, reader, cache.missing(), encode)  # nodes without a shared disk
        return cache

    def _fill(self, cache: FeatureCache, reader: ClipReader, blocks: list[int], encode: Encode) -> None:
        if not blocks:
            return
        batches = [[Draw(0, position) for position in cache.positions(block)] for block in blocks]
        loader = DataLoader(reader, batch_sampler=batches, num_workers=self.workers, collate_fn=_images)
        cache.fill(loader, blocks, encode)

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Whole global batches in the order of (seed, epoch)."""
        shards = self.dataset("train")
        sampler = self._epochs(len(shards))
        if self.instances is not None:
            return self._loader(InstanceReader(shards, self.instances, self.seed), sampler)
        image = self.image_augment or self.image
        reader = ClipReader(
            shards, self.read, image, self.sound_augment, self.seed, self.features.get("train")
        )
        return self._loader(reader, sampler)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Every clip of `val` once."""
        return self._whole("val")

    def test_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Every clip of `test` once."""
        return self._whole("test")

    def predict_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Every clip of `val` once; the test split is for `test` alone."""
        return self._whole("val")

    def _whole(self, split: str) -> DataLoader[dict[str, Any]]:
        shards = self.dataset(split)
        reader = ClipReader(shards, self.read, self.image, features=self.features.get(split))
        return self._loader(reader, WholeSplitSampler(len(shards), *world()))


def _images(clips: list[dict[str, Any]]) -> Tensor:
    return cast(Tensor, default_collate([clip["image"] for clip in clips]))
