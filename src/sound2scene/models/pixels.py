"""From pixels to the input of a network that was trained on photographs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sound2scene.images import MEAN, STD


def check_pixels(pixels_BCHW: Tensor) -> None:
    """Refuse what is no pixels: floats in [-1, 1] would give wrong figures in silence.

    Raises:
        ValueError: If the pictures are not uint8.
    """
    if pixels_BCHW.dtype != torch.uint8:
        raise ValueError(f"only uint8 pixels can be measured, not {pixels_BCHW.dtype}; use images.to_pixel")


def prepared(
    pixels_BCHW: Tensor, side: int, mean: Sequence[float] = MEAN, std: Sequence[float] = STD
) -> Tensor:
    """Pictures resized (bilinear, antialiased) and normalised, float32 (B, 3, side, side).

    Args:
        pixels_BCHW: Pictures of any size, uint8.
        side: Side of the result in pixels.
        mean: Mean of each channel, for values in [0, 1].
        std: Standard deviation of each channel, for values in [0, 1].

    Raises:
        ValueError: If the pictures are not uint8; see :func:`check_pixels`.
    """
    check_pixels(pixels_BCHW)
    image_BCHW = pixels_BCHW.to(torch.float32) / 255
    if image_BCHW.shape[-2:] != (side, side):
        image_BCHW = interpolate(
            image_BCHW, (side, side), mode="bilinear", align_corners=False, antialias=True
        )
    mean_CHW, std_CHW = (image_BCHW.new_tensor(list(values))[:, None, None] for values in (mean, std))
    return (image_BCHW - mean_CHW) / std_CHW
