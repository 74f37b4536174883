"""Dropout whose chance is an input: networks that drop at test too stay functions of what they are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor


def drop_channels(image_BCHW: Tensor, chance_BC: Tensor, rate: float) -> Tensor:
    """Whole channels set to 0, the others made up for it, as by `torch.nn.Dropout2d`.

    Args:
        image_BCHW: Features of pictures or sounds.
        chance_BC: Numbers from [0, 1), uniform; a channel is dropped where its number is below the rate.
        rate: Share of the channels that is dropped, from [0, 1).
    """
    kept_BC = (chance_BC >= rate).to(image_BCHW.dtype) / (1 - rate)
    return image_BCHW * kept_BC[:, :, None, None]


def split_chance(chance_BZ: Tensor | None, widths: Sequence[int]) -> Iterator[Tensor | None]:
    """The part of each layer, by its width; None for every layer where there is no chance at all.

    Args:
        chance_BZ: Numbers for all layers side by side, or None.
        widths: Channels of each layer; they add up to Z.
    """
    if chance_BZ is None:
        yield from [None] * len(widths)
        return
    assert chance_BZ.shape[1] == sum(widths), f"{sum(widths)} channels drop, and chance is {chance_BZ.shape}"
    yield from torch.split(chance_BZ, list(widths), dim=1)
