"""The frozen image encoder under the stages `gan` and `align`: an artifact whose features are computed once a clip."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor

from sound2scene import artifacts
from sound2scene.data.batches.features import Encode
from sound2scene.types import InputError


class FrozenEncoder(NamedTuple):
    """What `ClipDataModule.use_features` and `use_instances` end in: an encoder, and under what its features are kept.

    Attributes:
        encode: (B, 3, H, W) on the CPU to (B, D) on the CPU, without gradient.
        fingerprint: Of its weights.
        preset: Image chain that it was trained with.
        cache: Folder of the caches.
    """

    encode: Encode
    fingerprint: str
    preset: str
    cache: str


def load_frozen(folder: str, cache: str, device: torch.device, key: str, width: int) -> FrozenEncoder:
    """An image-encoder artifact, frozen.

    Args:
        folder: The artifact.
        cache: Folder of cached features.
        device: Where it is to work.
        key: What a recipe calls the width of the network that is to meet its features.
        width: That width.

    Raises:
        InputError: If the artifact is missing, of another kind or of another width.
    """
    card = artifacts.read_card(folder)
    encoder = artifacts.load(folder, kind="image-encoder")
    if encoder.z_dim != width:
        raise InputError(
            f"{folder}: features have {encoder.z_dim} dimensions and {key} is {width}; make them the same"
        )
    encoder = encoder.to(device).requires_grad_(False)

    def encode(image_BCHW: Tensor) -> Tensor:
        return cast(Tensor, encoder(image_BCHW.to(device))).cpu()

    assert card.preset is not None, "an image encoder's card names its preset"
    return FrozenEncoder(encode, card.fingerprint, card.preset, cache)
