"""The frozen image encoder that belongs to the data: z_image of whole splits, computed once and kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from sound2scene import artifacts, images
from sound2scene.data.batches.features import Encode, FeatureCache
from sound2scene.data.batches.reader import Chain, PictureReader
from sound2scene.data.batches.sampler import Draw
from sound2scene.distributed import barrier, world
from sound2scene.processes import leave_stopping_to_parent
from sound2scene.protocols import Pictures, whole_number
from sound2scene.types import EncoderFacts, InputError, PictureBatch


@dataclass
class Features:
    """Where the features that come with the batches are from.

    Attributes:
        image_encoder: Folder of an image-encoder artifact; it stays frozen.
        cache: Folder of cached features.
    """

    image_encoder: str
    cache: str = "data/features"


class Encoding(NamedTuple):
    """A network that turns pictures into features, and what its features are kept under.

    Attributes:
        encode: (B, 3, H, W) on the CPU to (B, D) on the CPU, without gradient.
        fingerprint: Fingerprint of its weights.
        preset: Image chain that feeds it.
        width: D; None where it is not known before the first picture.
    """

    encode: Encode
    fingerprint: str
    preset: str
    width: int | None = None


class FrozenFeatures:
    """z_image of any split, by the frozen encoder of an artifact.

    Args:
        settings: Artifact and cache.
        workers: Loader processes that decode pictures while features are computed.
        device: Device on which the encoder works.

    Raises:
        InputError: If the artifact is missing or of another kind.
    """

    def __init__(self, settings: Features, workers: int, device: torch.device) -> None:
        self.settings, self.workers, self.device = settings, workers, device
        self._known: dict[tuple[str, bool], FeatureCache] = {}

    @cached_property
    def facts(self) -> EncoderFacts:
        """What the encoder's card says."""
        folder = self.settings.image_encoder
        card = artifacts.read_card(folder)
        if card.preset is None:
            raise InputError(f"{folder}: its card names no image preset; export or import the artifact again")
        return EncoderFacts(folder, card.fingerprint, card.preset, whole_number(self._encoder, "z_dim"))

    def of(self, split: Pictures, flip: bool = False) -> FeatureCache:
        """Features of a split's pictures; the first time every process has to call it.

        Args:
            split: The pictures.
            flip: Mirror them.
        """
        known = (split.fingerprint, flip)
        if known not in self._known:
            encoding = Encoding(self._encode, self.facts.fingerprint, self.facts.preset, self.facts.width)
            self._known[known] = cached(split, encoding, self.settings.cache, self.workers, flip)
        return self._known[known]

    @cached_property
    def _encoder(self) -> torch.nn.Module:
        encoder = artifacts.load(self.settings.image_encoder, kind="image-encoder")
        return encoder.to(self.device).requires_grad_(False)

    def _encode(self, image_BCHW: Tensor) -> Tensor:
        z_BD: Tensor = self._encoder(image_BCHW.to(self.device))
        return z_BD.cpu()


def cached(split: Pictures, encoding: Encoding, root: str, workers: int, flip: bool = False) -> FeatureCache:
    """Features of a split's pictures, computed where they are not on disk yet; every process calls it.

    Args:
        split: The pictures.
        encoding: The network.
        root: Folder of all caches.
        workers: Loader processes that decode pictures.
        flip: Mirror the pictures.

    Raises:
        InputError: If a picture cannot be decoded, or a feature is NaN or infinite.
    """
    preset = f"{encoding.preset}, mirrored" if flip else encoding.preset
    cache = FeatureCache(root, encoding.fingerprint, preset, split.fingerprint, len(split), encoding.width)
    chain = images.preset(encoding.preset)
    reader = PictureReader(split, _Mirrored(chain) if flip else chain)
    rank, ranks = world()
    _fill(cache, reader, cache.missing(rank, ranks), encoding.encode, workers)
    barrier()
    _fill(cache, reader, cache.missing(), encoding.encode, workers)  # nodes without a shared disk
    return cache


class _Mirrored:
    """A chain behind a mirror; a class, so that a loader's worker can be handed it on any system."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    def __call__(self, picture: Image.Image) -> Tensor:
        return self.chain(mirrored(picture))


def mirrored(picture: Image.Image) -> Image.Image:
    """Left and right exchanged."""
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def _fill(
    cache: FeatureCache, reader: PictureReader, blocks: Sequence[int], encode: Encode, workers: int
) -> None:
    if not blocks:
        return
    batches = [[Draw(0, position) for position in cache.positions(block)] for block in blocks]
    loader: DataLoader[PictureBatch] = DataLoader(
        reader,  # type: ignore[arg-type]  # collate makes a batch of its items
        batch_sampler=batches,
        num_workers=workers,
        worker_init_fn=leave_stopping_to_parent,
        collate_fn=reader.collate,
    )
    cache.fill((batch.image_BCHW for batch in loader), blocks, encode)
