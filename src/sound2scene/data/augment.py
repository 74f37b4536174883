"""Random changes of a clip while training; each is a function of the clip and of torch's seeded generator alone."""

from __future__ import annotations

import math

import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import v2

from sound2scene.images import MEAN, STD


class PictureViews(nn.Module):
    """Several random views of one picture, as self-supervised learning wants them.

    Crop, flip, colour jitter, grey and blur as in SimCLR and SwAV (02, section 4.1: brightness, contrast and saturation
    0.8, hue 0.2 at strength 1, applied with probability 0.8; grey 0.2; blur 0.5).

    Args:
        side: Pixels of a view.
        views: How many.
        smallest_crop: Smallest share of the picture's area that a view shows.
        colour: Strength of the jitter of brightness, contrast and saturation; 1 as published.
        hue: Range of the hue jitter, in turns of the colour circle.
        grey: Probability of a grey view.
        blur: Probability of a blurred view.
        blur_px: Largest standard deviation of the blur.
    """

    def __init__(
        self,
        side: int = 224,
        views: int = 2,
        smallest_crop: float = 0.14,
        colour: float = 1.0,
        hue: float = 0.2,
        grey: float = 0.2,
        blur: float = 0.5,
        blur_px: float = 2.0,
    ) -> None:
        super().__init__()
        self.views = views
        jitter = v2.ColorJitter(0.8 * colour, 0.8 * colour, 0.8 * colour, hue)
        kernel_px = 2 * math.ceil(2 * blur_px) + 1
        self.change = v2.Compose(
            [
                v2.PILToTensor(),
                v2.RandomResizedCrop(side, (smallest_crop, 1.0), antialias=True),
                v2.RandomHorizontalFlip(),
                v2.RandomApply([jitter], 0.8),
                v2.RandomGrayscale(grey),
                v2.RandomApply([v2.GaussianBlur(kernel_px, (0.1, blur_px))], blur),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(MEAN, STD),
            ]
        )

    def forward(self, image: Image.Image) -> Tensor:
        """An RGB picture to (views, 3, side, side), normalised."""
        return torch.stack([self.change(image) for _ in range(self.views)])


class SoundShift(nn.Module):
    """A sound that starts elsewhere: circular shift by any amount, then a random gain and clipping at +-1.

    Args:
        gain_db: Gains are uniform in [-gain_db, gain_db].
    """

    def __init__(self, gain_db: float = 6.0) -> None:
        super().__init__()
        self.gain_db = gain_db

    def forward(self, waveform_T: Tensor) -> Tensor:
        """(T,) to (T,)."""
        shift = int(torch.randint(len(waveform_T), ()))
        gain_db = (torch.rand(()) * 2 - 1) * self.gain_db
        return (waveform_T.roll(shift) * 10 ** (gain_db / 20)).clamp(-1, 1)
