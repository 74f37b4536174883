"""Feature and noise of a picture for a frozen generator: GAN inversion (paper figure 7)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from sound2scene import artifacts, images
from sound2scene.control.search import Effort, Inverted, Parts, Search
from sound2scene.control.views import Eye
from sound2scene.devices import device_named
from sound2scene.latent import draw_pictures
from sound2scene.methods.sound2scene import FrozenGenerator
from sound2scene.types import InputError

AT_ONCE = 8  # rows that a processor draws together; more take memory and gain nothing
AT_ONCE_ELSEWHERE = 64
_NOTHING = 1e-8  # length of a feature that points nowhere


class Inverter:
    """Finds feature and noise of pictures; the same seed finds the same ones.

    On a processor they are the same to the last bit; on a GPU nearly, as its sums come in any order.

    Args:
        generator: Folder of a generator artifact, or the generator itself.
        image_encoder: Folder of the image-encoder artifact whose features it draws.
        device: Device of torch; by default a GPU where there is one.

    Attributes:
        eye: The image encoder.
        resolution: Height and width of the pictures.
        fingerprints: Fingerprints of the `generator` and of the `image_encoder`.

    Raises:
        InputError: If an artifact or the device is missing, or the two do not belong together.
    """

    def __init__(
        self, generator: str | FrozenGenerator, image_encoder: str, device: str | None = None
    ) -> None:
        self.device = device_named(device)
        drawing = FrozenGenerator(generator) if isinstance(generator, str) else generator
        self.eye = Eye(image_encoder, self.device)
        artifacts.check_same_encoder(drawing.image_encoder, self.eye.fingerprint, drawing.folder)
        self.network, self.resolution = drawing.network.to(self.device), drawing.resolution
        self.fingerprints = {"generator": drawing.fingerprint, "image_encoder": self.eye.fingerprint}

    def pixels(self, picture: Image.Image) -> Tensor:
        """The centred square of a picture as the generator could draw it, uint8 (3, H, W).

        It is what the image encoder sees, too: of a wide picture, the preset `squeeze` would show it more.
        """
        return images.square_pixels(picture, self.resolution)

    def invert(
        self,
        pixels_BCHW: Tensor,
        effort: Effort | None = None,
        state: Path | None = None,
        told: Callable[[int], object] | None = None,
    ) -> Inverted:
        """Feature and noise of each picture.

        Args:
            pixels_BCHW: Pictures of the generator's size, uint8.
            effort: How hard to look.
            state: File that keeps the state of the work from time to time; if it is there, the work goes on
                from it, with the same result as if it had never stopped. It is gone in the end.
            told: Is told how many steps were done since it was last told.

        Raises:
            InputError: If the pictures have another size, the image encoder sees nothing in one, or the file
                is damaged, belongs to other work or cannot be written.
        """
        size = (3, self.resolution, self.resolution)
        if pixels_BCHW.ndim != 4 or pixels_BCHW.shape[1:] != size or pixels_BCHW.dtype != torch.uint8:
            raise InputError(
                f"invert takes uint8 pictures (B, {', '.join(map(str, size))}), not {pixels_BCHW.dtype} "
                f"{tuple(pixels_BCHW.shape)}; see `Inverter.pixels`"
            )
        for number, pixels_CHW in enumerate(pixels_BCHW):
            if not self.sees(pixels_CHW):
                raise InputError(
                    f"invert: the image encoder sees nothing in picture {number}; give another one"
                )
        at_once = AT_ONCE if self.device.type == "cpu" else AT_ONCE_ELSEWHERE
        names = self.fingerprints | {"device": self.device.type}
        parts = Parts(self._searched, self.eye, at_once, names)
        return Search(
            parts, images.to_model(pixels_BCHW).to(self.device), effort or Effort(), state, told
        ).result()

    @cached_property
    def _searched(self) -> nn.Module:
        """The generator as the search uses it: a processor is half as fast again with channels last."""
        if self.device.type != "cpu":
            return self.network
        return copy.deepcopy(self.network).to(memory_format=torch.channels_last)

    @torch.no_grad()
    def draw(self, z_BD: Tensor, noise_BZ: Tensor) -> Tensor:
        """Pictures, uint8 (B, 3, H, W) on the CPU, of features of any length and noises.

        Each is drawn alone, so that its last bits depend on nothing beside it.
        """
        rows = zip(torch.split(z_BD.to(self.device), 1), torch.split(noise_BZ, 1), strict=True)
        drawn = [draw_pictures(self.network, z_1D, noise_1Z) for z_1D, noise_1Z in rows]
        return images.to_pixel(torch.cat(drawn)).cpu()

    @torch.no_grad()
    def seen(self, pixels_BCHW: Tensor) -> Tensor:
        """What the image encoder sees in pictures (uint8), of any length, (B, D) on the CPU."""
        image_BCHW = images.to_model(pixels_BCHW).to(self.device)
        return torch.cat([self.eye(one_1CHW) for one_1CHW in torch.split(image_BCHW, 1)]).cpu()

    def sees(self, pixels_CHW: Tensor) -> bool:
        """Whether the image encoder sees anything in a picture (uint8)."""
        return bool(self.seen(pixels_CHW[None]).norm() > _NOTHING)
