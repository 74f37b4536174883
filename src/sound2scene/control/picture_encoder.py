"""z_image of a picture file, as a station between sounds."""

from __future__ import annotations

import os

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from sound2scene import artifacts, images
from sound2scene.records import content
from sound2scene.types import InputError

_LARGEST_BYTES = 1 << 28


def read_picture(path: str | os.PathLike[str]) -> Image.Image:
    """An RGB picture of a file of any kind that `images.decode_jpeg` reads, 256 MiB at most.

    Raises:
        InputError: If it is none, or cannot be read.
    """
    return images.decode_jpeg(content(path, "give a picture", _LARGEST_BYTES), os.fspath(path))


class PictureEncoder:
    """The frozen image encoder of an artifact with the preset of its card.

    Args:
        folder: Artifact of the image encoder.
        expected: Fingerprint of the image encoder to which the generator belongs.
        generator: Artifact of that generator, for the message.
        device: Where it works.

    Attributes:
        fingerprint: Its fingerprint.

    Raises:
        InputError: If the artifact is missing, of another kind, names no preset, or is another encoder than
            the generator's.
    """

    def __init__(self, folder: str, expected: str, generator: str, device: torch.device) -> None:
        card = artifacts.read_card(folder)
        encoder = artifacts.load(folder, kind="image-encoder")
        artifacts.check_same_encoder(expected, card.fingerprint, generator)
        if card.preset is None:
            raise InputError(f"{folder}: its card names no image preset; export or import the artifact again")
        self.fingerprint, self.device = card.fingerprint, device
        self._chain = images.preset(card.preset)
        self._encoder = encoder.to(device).requires_grad_(False)

    @torch.inference_mode()
    def encode(self, picture: Image.Image, name: str) -> Tensor:
        """z_image of a picture at unit length, (D,), on the device.

        Args:
            picture: The picture, RGB.
            name: What an error calls it.

        Raises:
            InputError: If the encoder sees nothing in it.
        """
        z_D: Tensor = self._encoder(self._chain(picture)[None].to(self.device))[0].float()
        if not (torch.isfinite(z_D).all() and z_D.norm() > 0):
            raise InputError(f"{name}: the image encoder sees nothing in it; give another picture")
        return normalize(z_D, dim=0)
