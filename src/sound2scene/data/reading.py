"""What a stage's batches hold, for a recipe to name: `data.init_args.read`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import nn

from sound2scene import images
from sound2scene.data.augment import MultiCrop
from sound2scene.data.batches.frozen_encoder import FrozenFeatures
from sound2scene.data.batches.instances import InstanceReader, Neighbourhood
from sound2scene.data.batches.neighbours import cached_nearest
from sound2scene.data.batches.reader import (
    CropReader,
    FeatureReader,
    PairReader,
    PictureReader,
    SoundPictureReader,
)
from sound2scene.data.batches.resumable import Collating
from sound2scene.data.toy.scene_reader import SceneReader
from sound2scene.protocols import Pictures, Sounds
from sound2scene.types import InputError


class Reading(ABC):
    """Makes readers of a split; every process asks for the same ones."""

    @abstractmethod
    def training(self, split: Pictures, features: FrozenFeatures | None, seed: int) -> Collating[Any]:
        """Reader for training; with the epoch and a clip's position, `seed` seeds what is random."""

    @abstractmethod
    def evaluation(self, split: Pictures, features: FrozenFeatures | None) -> Collating[Any]:
        """Reader for evaluation, in which nothing is random."""


class ReadPairs(Reading):
    """Sounds with the features of their pictures (`PairBatch`): what the stage `align` learns from.

    Args:
        augment: Random change of the training sounds, such as `sound2scene.data.augment.SoundShift`.
    """

    def __init__(self, augment: nn.Module | None = None) -> None:
        self.augment = augment

    def training(self, split: Pictures, features: FrozenFeatures | None, seed: int) -> PairReader:
        """Reader whose sounds change at random."""
        return PairReader(_sounding(split), _given(features, self).of(split), self.augment, seed)

    def evaluation(self, split: Pictures, features: FrozenFeatures | None) -> PairReader:
        """Reader of the sounds as they are."""
        return PairReader(_sounding(split), _given(features, self).of(split))


class ReadPictures(Reading):
    """Pictures with their labels (`PictureBatch`): what the stage `judge` learns from.

    Args:
        preset: Chain from picture to tensor; in evaluation always, in training without `augment`.
        augment: Random chain for training, such as `sound2scene.data.augment.PixelCrop`.
    """

    def __init__(self, preset: str, augment: nn.Module | None = None) -> None:
        self.chain, self.augment = images.preset(preset), augment

    def training(self, split: Pictures, features: FrozenFeatures | None, seed: int) -> PictureReader:
        """Reader whose pictures change at random."""
        return PictureReader(split, self.augment or self.chain, seed)

    def evaluation(self, split: Pictures, features: FrozenFeatures | None) -> PictureReader:
        """Reader of the pictures as they are."""
        return PictureReader(split, self.chain)


class ReadSoundPictures(Reading):
    """Sounds with their pictures themselves (`SoundPictureBatch`): what the baselines learn from.

    Args:
        preset: Chain from picture to tensor, one of the `pixels*`.
        augment: Random change of the training sounds, such as `sound2scene.data.augment.SoundShift`.
    """

    def __init__(self, preset: str, augment: nn.Module | None = None) -> None:
        self.chain, self.augment = images.preset(preset), augment

    def training(self, split: Pictures, features: FrozenFeatures | None, seed: int) -> SoundPictureReader:
        """Reader whose sounds change at random."""
        return SoundPictureReader(_sounding(split), self.chain, self.augment, seed)

    def evaluation(self, split: Pictures, features: FrozenFeatures | None) -> SoundPictureReader:
        """Reader of sounds and pictures as they are."""
        return SoundPictureReader(_sounding(split), self.chain)


class ReadScenes(Reading):
    """Toy pictures with all that is known of them (`SceneBatch`): what the stage `reader` learns from.

    Args:
        preset: Chain from picture to pixels.
        change: Random change of the pixels in training, uint8 (3, H, W) to the same, that moves nothing.
    """

    def __init__(self, preset: str, change: nn.Module | None = None) -> None:
        self.chain, self.change = images.preset(preset), change

    def training(self, split: Pictures, features: FrozenFeatures | None, seed: int) -> SceneReader:
        """Reader whose pictures change at random."""
        return SceneReader(split, self.chain, self.change, seed)

    def evaluation(self, split: Pictures, features: FrozenFeatures | None) -> SceneReader:
        """Reader of the pictures as they are."""
        return SceneReader(split, self.chain)


class ReadCrops(Reading):
    """Random crops of pictures (`CropBatch`), whole ones in evaluation: what the stage `encoder` learns from.

    Args:
        preset: Chain from picture to tensor in evaluation.
        crops: Crops of each picture in training; SwAV's published ones by default.

    Raises:
        InputError: If the preset normalises pictures in another way than the crops.
    """

    def __init__(self, preset: str, crops: MultiCrop | None = None) -> None:
        if images.normal_of(preset) != (images.MEAN, images.STD):
            raise InputError(f"read.preset {preset!r}: crops are normalised as ImageNet's; take centre_crop")
        self.chain, self.crops = images.preset(preset), crops or MultiCrop()

    def training(self, split: Pictures, features: FrozenFeatures | None, seed: int) -> CropReader:
        """Reader of crops."""
        return CropReader(split, self.crops, seed)

    def evaluation(self, split: Pictures, features: FrozenFeatures | None) -> PictureReader:
        """Reader of whole pictures."""
        return PictureReader(split, self.chain)


class ReadInstances(Reading):
    """Instances, a neighbour of each, and others at random (`InstanceBatch`): what `gan` learns from.

    Args:
        side: Pixels of a real picture; the resolution of the generator.
        neighbours: Nearest pictures among which an instance's real one is drawn.
        mirror: Mirror pictures and features at random, independently, as published. Without it, what is left
            in a picture is drawn left.
        own: Read each instance's own picture, too: what `phases.pixel_weight` compares drawn ones with.

    Raises:
        InputError: If a number is below 1.
    """

    def __init__(self, side: int, neighbours: int = 50, mirror: bool = True, own: bool = False) -> None:
        if side < 1 or neighbours < 1:
            raise InputError(f"read.side is {side} and read.neighbours {neighbours}; set both to at least 1")
        self.side, self.neighbours, self.mirror, self.own = side, neighbours, mirror, own

    def training(self, split: Pictures, features: FrozenFeatures | None, seed: int) -> InstanceReader:
        """Reader of instances; features of mirrored pictures and neighbours are found the first time."""
        known = _given(features, self)
        plain, flipped = known.of(split), known.of(split, flip=True) if self.mirror else None
        around = Neighbourhood(self.side, cached_nearest(plain, self.neighbours), plain, flipped, self.own)
        return InstanceReader(split, around, seed)

    def evaluation(self, split: Pictures, features: FrozenFeatures | None) -> FeatureReader:
        """Reader of features alone."""
        return FeatureReader(split, _given(features, self).of(split))


def _given(features: FrozenFeatures | None, reading: object) -> FrozenFeatures:
    if features is None:
        raise InputError(
            f"{type(reading).__name__} hands over features; name their image encoder in "
            "data.init_args.features.image_encoder"
        )
    return features


def _sounding(split: Pictures) -> Sounds:
    if not isinstance(split, Sounds):
        raise InputError(f"{split.where(0)}: a folder of pictures has no sounds; prepare shards of pairs")
    return split
