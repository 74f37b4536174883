"""DiffAugment: differentiable random changes of reals and fakes (Zhao et al., arXiv:2006.10738, §3)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from sound2scene.types import InputError

POLICIES = ("colour", "translation", "cutout")


def check_policies(names: list[str]) -> None:
    """Refuse unknown names.

    Raises:
        InputError: If a name is not one of `POLICIES`.
    """
    if unknown := [name for name in names if name not in POLICIES]:
        raise InputError(f"augment {unknown[0]!r} is unknown; choose among {', '.join(POLICIES)}")


def diff_augment(image_BCHW: Tensor, names: list[str], generator: torch.Generator) -> Tensor:
    """Change each picture at random, with gradients.

    Args:
        image_BCHW: Pictures in [-1, 1].
        names: Names from `POLICIES`, in the order of application.
        generator: Random generator on the CPU, whose state alone determines the changes.
    """
    changes = {"colour": _colour, "translation": _translation, "cutout": _cutout}
    for name in names:
        image_BCHW = changes[name](image_BCHW, generator)
    return image_BCHW


def _uniform(image_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(len(image_BCHW), 1, 1, 1, generator=generator).to(image_BCHW)


def _colour(image_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    """Brightness by up to +-0.5, saturation by 0 to 2, contrast by 0.5 to 1.5."""
    image_BCHW = image_BCHW + _uniform(image_BCHW, generator) - 0.5
    grey_B1HW = image_BCHW.mean(1, keepdim=True)
    image_BCHW = grey_B1HW + (image_BCHW - grey_B1HW) * 2 * _uniform(image_BCHW, generator)
    mean_B111 = image_BCHW.mean((1, 2, 3), keepdim=True)
    return mean_B111 + (image_BCHW - mean_B111) * (0.5 + _uniform(image_BCHW, generator))


def _corners(image_BCHW: Tensor, low: int, high: int, generator: torch.Generator) -> Tensor:
    return torch.randint(low, high, (len(image_BCHW), 2), generator=generator).to(image_BCHW.device)


def _translation(image_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    """Shift by up to an eighth of the side, with zeros beyond the border."""
    side = image_BCHW.shape[-1]
    reach = max(round(side / 8), 1)
    shift_B2 = _corners(image_BCHW, 0, 2 * reach + 1, generator)
    wide_BCHW = pad(image_BCHW, (reach,) * 4)
    grid = torch.arange(side, device=image_BCHW.device)
    rows_BH, columns_BW = shift_B2[:, :1] + grid, shift_B2[:, 1:] + grid
    batch_B = torch.arange(len(image_BCHW), device=image_BCHW.device)
    # With advanced indices around a slice the channels come last, so they are moved back.
    return wide_BCHW[batch_B[:, None, None], :, rows_BH[:, :, None], columns_BW[:, None]].permute(0, 3, 1, 2)


def _cutout(image_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    """Set a square of half the side to 0, anywhere, even partly outside."""
    side = image_BCHW.shape[-1]
    half = side // 4
    centre_B2 = _corners(image_BCHW, 0, side + 1, generator)
    grid = torch.arange(side, device=image_BCHW.device)
    inside_BH, inside_BW = (
        ((grid - centre) >= -half) & ((grid - centre) < half)
        for centre in (centre_B2[:, :1], centre_B2[:, 1:])
    )
    return image_BCHW * ~(inside_BH[:, None, :, None] & inside_BW[:, None, None, :])
