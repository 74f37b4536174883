"""What a loader's worker does with a clip, and how clips become a batch: one reader per kind of batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, NamedTuple, TypeVar

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from sound2scene import images
from sound2scene.data.batches.features import FeatureCache
from sound2scene.data.batches.sampler import Draw, augmentation_seed
from sound2scene.protocols import Expecting, Pictures, Sounds
from sound2scene.types import CropBatch, FeatureBatch, PairBatch, PictureBatch, SoundPictureBatch

Chain = Callable[[Image.Image], Tensor]
Item = TypeVar("Item")
Crops = Callable[[Image.Image], tuple[Tensor, ...]]


def open_picture(split: Pictures, position: int) -> Image.Image:
    """The picture of a clip, decoded."""
    return images.decode_jpeg(split.member(position, "jpg"), split.where(position))


def feature(cache: FeatureCache, position: int) -> Tensor:
    """z_image of a clip, (D,)."""
    return torch.tensor(cache.row(position))


def names(split: Pictures, positions: Sequence[int]) -> tuple[list[str], Tensor, Tensor]:
    """Key, index and label of clips, with which most batches begin."""
    index_B = torch.tensor(positions)
    return [split.key(position) for position in positions], index_B, split.label_N[index_B]


@contextmanager
def seeded(seed: int, draw: Draw) -> Iterator[None]:
    """Torch's own generator at the seed of one draw of a clip, for random changes that ask it."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(augmentation_seed(seed, draw))  # leaves a GPU's generator alone
        yield


def heard(split: Sounds, draw: Draw, augment: nn.Module | None, seed: int) -> Tensor:
    """The sound of a clip, changed at random where that is asked for, (T,)."""
    waveform_T = torch.from_numpy(split.waveform(draw.position))
    if augment is None:
        return waveform_T
    with seeded(seed, draw):
        changed_T: Tensor = augment(waveform_T)
    return changed_T


class ClipReader(Dataset[Item]):
    """Reads clips of a split, which is told at the beginning of a batch what will be read of it.

    Attributes:
        split: The clips.
        kinds: Members that are read of a clip, in their order.
    """

    split: Pictures
    kinds: ClassVar[tuple[str, ...]] = ("jpg",)

    def wanted(self, draw: Draw) -> list[tuple[int, str]]:
        """Members that a draw reads, by position and kind."""
        return [(draw.position, kind) for kind in self.kinds]

    def __getitems__(self, draws: Sequence[Draw]) -> list[Item]:
        if isinstance(self.split, Expecting):
            self.split.expect(member for draw in draws for member in self.wanted(draw))
        return [self[draw] for draw in draws]


class _Pair(NamedTuple):
    position: int
    waveform_T: Tensor
    z_image_D: Tensor


class PairReader(ClipReader[_Pair]):
    """Reads sounds, and hands over the features of their pictures.

    Args:
        split: Clips with sounds.
        features: Cached z_image of the split.
        augment: Random change of a waveform, or None.
        seed: With the epoch and the clip's position, seeds the random changes.
    """

    split: Sounds
    kinds = ("flac",)

    def __init__(
        self, split: Sounds, features: FeatureCache, augment: nn.Module | None = None, seed: int = 0
    ) -> None:
        self.split, self.features, self.augment, self.seed = split, features, augment, seed

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, draw: Draw) -> _Pair:
        waveform_T = heard(self.split, draw, self.augment, self.seed)
        return _Pair(draw.position, waveform_T, feature(self.features, draw.position))

    def collate(self, items: list[_Pair]) -> PairBatch:
        """Clips to a batch."""
        position, waveforms, rows = zip(*items, strict=True)
        return PairBatch(*names(self.split, position), shared_stack(waveforms), torch.stack(rows))


class _Picture(NamedTuple):
    position: int
    image_CHW: Tensor


class PictureReader(ClipReader[_Picture]):
    """Reads pictures.

    Args:
        split: The pictures.
        chain: Picture to tensor (C, H, W); it may change it at random.
        seed: With the epoch and the clip's position, seeds the random changes.
    """

    def __init__(self, split: Pictures, chain: Chain, seed: int = 0) -> None:
        self.split, self.chain, self.seed = split, chain, seed

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, draw: Draw) -> _Picture:
        with seeded(self.seed, draw):
            return _Picture(draw.position, self.chain(open_picture(self.split, draw.position)))

    def collate(self, items: list[_Picture]) -> PictureBatch:
        """Clips to a batch."""
        position, pictures = zip(*items, strict=True)
        return PictureBatch(*names(self.split, position), shared_stack(pictures))


class _SoundPicture(NamedTuple):
    position: int
    waveform_T: Tensor
    pixels_CHW: Tensor


class SoundPictureReader(ClipReader[_SoundPicture]):
    """Reads sounds and their pictures.

    Args:
        split: Clips with sounds.
        chain: Picture to uint8 pixels (C, H, W), in which nothing is random.
        augment: Random change of a waveform, or None.
        seed: With the epoch and the clip's position, seeds the random changes.
    """

    split: Sounds
    kinds = ("flac", "jpg")

    def __init__(self, split: Sounds, chain: Chain, augment: nn.Module | None = None, seed: int = 0) -> None:
        self.split, self.chain, self.augment, self.seed = split, chain, augment, seed

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, draw: Draw) -> _SoundPicture:
        waveform_T = heard(self.split, draw, self.augment, self.seed)
        return _SoundPicture(draw.position, waveform_T, self.chain(open_picture(self.split, draw.position)))

    def collate(self, items: list[_SoundPicture]) -> SoundPictureBatch:
        """Clips to a batch."""
        position, waveforms, pictures = zip(*items, strict=True)
        return SoundPictureBatch(
            *names(self.split, position), shared_stack(waveforms), shared_stack(pictures)
        )


class _Cropped(NamedTuple):
    position: int
    crops: tuple[Tensor, ...]


class CropReader(ClipReader[_Cropped]):
    """Reads random crops of pictures.

    Args:
        split: The pictures.
        crops: Picture to random crops, (crops, C, h, w) of each resolution.
        seed: With the epoch and the clip's position, seeds the crops.
    """

    def __init__(self, split: Pictures, crops: Crops, seed: int = 0) -> None:
        self.split, self.crops, self.seed = split, crops, seed

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, draw: Draw) -> _Cropped:
        with seeded(self.seed, draw):
            return _Cropped(draw.position, self.crops(open_picture(self.split, draw.position)))

    def collate(self, items: list[_Cropped]) -> CropBatch:
        """Clips to a batch."""
        resolutions = zip(*(item.crops for item in items), strict=True)
        return CropBatch(
            [self.split.key(item.position) for item in items],
            tuple(torch.stack(same, dim=1).flatten(0, 1) for same in resolutions),
        )


class FeatureReader(Dataset[int]):
    """Hands over features of pictures and nothing else.

    Args:
        split: The pictures.
        features: Cached z_image of the split.
    """

    def __init__(self, split: Pictures, features: FeatureCache) -> None:
        self.split, self.features = split, features

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, draw: Draw) -> int:
        return draw.position

    def collate(self, items: list[int]) -> FeatureBatch:
        """Clips to a batch."""
        rows = torch.stack([feature(self.features, position) for position in items])
        return FeatureBatch(*names(self.split, items), rows)


def shared_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors of one shape, stacked; in a loader's worker straight into the memory that is handed over.

    A stack on the worker's own heap would be copied once more, and its heap would hoard.
    """
    stacked: Tensor = default_collate(list(tensors))
    return stacked
