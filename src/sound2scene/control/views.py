"""What an image encoder sees of generated pictures: the chains of `sound2scene.images`, with gradient."""

from __future__ import annotations

from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, interpolate

from sound2scene import artifacts, images
from sound2scene.types import InputError

_SIDE = 224


class View(Protocol):
    """From square pictures in [-1, 1] to what a preset makes of them."""

    def __call__(self, image_BCHW: Tensor) -> Tensor:
        """Normalised pictures."""
        ...


def _resized(image_BCHW: Tensor, side: int) -> Tensor:
    """Pillow's bilinear resizing, which weighs all pixels that a smaller one covers."""
    if image_BCHW.shape[-2:] == (side, side):
        return image_BCHW
    return interpolate(image_BCHW, (side, side), mode="bilinear", align_corners=False, antialias=True)


def _normalised(image_BCHW: Tensor) -> Tensor:
    mean_CHW, std_CHW = (image_BCHW.new_tensor(list(of))[:, None, None] for of in (images.MEAN, images.STD))
    return ((image_BCHW + 1) / 2 - mean_CHW) / std_CHW


def _plain(image_BCHW: Tensor, side: int, signed: bool = False) -> Tensor:
    seen_BCHW = _resized(image_BCHW, side)
    return seen_BCHW if signed else _normalised(seen_BCHW)


def _enlarged(image_BCHW: Tensor, side: int, align_corners: bool) -> Tensor:
    seen_BCHW = _plain(image_BCHW, side)
    return interpolate(seen_BCHW, (_SIDE, _SIDE), mode="bicubic", align_corners=align_corners)


VIEWS: dict[str, View] = {
    "squeeze": partial(_enlarged, side=256, align_corners=True),
    "centre_crop": partial(_plain, side=_SIDE),
    "centre_crop_signed": partial(_plain, side=_SIDE, signed=True),
    "icgan64": partial(_enlarged, side=64, align_corners=False),
    "icgan128": partial(_enlarged, side=128, align_corners=False),
    "icgan256": partial(_enlarged, side=256, align_corners=False),
    "small64": partial(_plain, side=64),
}


def view(name: str) -> View:
    """The chain of a preset for square tensors; it differs from that of files by their rounding to 8 bits.

    Args:
        name: Name of a preset in `sound2scene.images`.

    Raises:
        InputError: If it is unknown, or one whose pixels no gradient passes (`pixels*`).
    """
    if name not in VIEWS:
        raise InputError(f"image preset {name!r} lets no gradient pass; choose one of {', '.join(VIEWS)}")
    return VIEWS[name]


class Eye:
    """The frozen image encoder of an artifact, for pictures of a generator and for files.

    Args:
        folder: Folder of an image-encoder artifact.
        device: Where it works.

    Attributes:
        folder: The artifact.
        fingerprint: Fingerprint of its weights.

    Raises:
        InputError: If it is missing, of another kind, or its card names no preset that will do.
    """

    def __init__(self, folder: str, device: torch.device) -> None:
        card = artifacts.read_card(folder)
        self.folder, self.fingerprint = folder, card.fingerprint
        self._view = view(str(card.preset))
        network = artifacts.load(folder, kind="image-encoder")
        if device.type == "cpu":  # half as fast again there
            network = network.to(memory_format=torch.channels_last)
        self.network: nn.Module = network.to(device).requires_grad_(False)

    def __call__(self, image_BCHW: Tensor) -> Tensor:
        """Features (B, D) of square pictures in [-1, 1], of any length, with gradient."""
        z_BD: Tensor = self.network(self._view(image_BCHW)).float()
        return z_BD

    def cosine(self, image_BCHW: Tensor, z_BD: Tensor) -> Tensor:
        """Cosine (B,) of what is seen in pictures to features, with gradient."""
        return cosine_similarity(self(image_BCHW), z_BD, dim=1)
