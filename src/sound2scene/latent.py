"""The latent space of the generator: the noise that goes in beside a feature."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from sound2scene.types import InputError

_CUT = 2.0  # standard deviations at which truncated noise ends (IC-GAN `predict.py`)
_PICTURES = 2_109_050_70


def noise(seeds: Iterable[int], width: int, truncation: float = 1.0) -> Tensor:
    """Rows of standard normal noise, each a function of its own seed alone, (B, width) float32 on the CPU.

    Args:
        seeds: Seed of each row, 0 or larger.
        width: Width of the generator's noise.
        truncation: Factor of the noise; 1 is plain noise, which the paper uses. Below 1, values beyond two
            standard deviations are drawn again before the noise is scaled (IC-GAN `predict.py`), which trades
            variety for fewer oddities; 0 is the mean.

    Raises:
        InputError: If the truncation is not between 0 and 1.
    """
    if not 0 <= truncation <= 1:
        raise InputError(f"truncation is {truncation}; choose one between 0 and 1 (1: none)")
    rows = []
    for seed in seeds:
        dice = torch.Generator().manual_seed(seed)
        row_Z = torch.randn(width, generator=dice)
        if truncation < 1:
            while (outside_Z := row_Z.abs() > _CUT).any():
                row_Z[outside_Z] = torch.randn(int(outside_Z.sum()), generator=dice)
            row_Z *= truncation
        rows.append(row_Z)
    return torch.stack(rows) if rows else torch.empty(0, width)


def noise_of_clips(index_B: Tensor, width: int, draw: int = 0) -> Tensor:
    """Noise of clips, a function only of each clip's index in its split and the number of the draw."""
    return noise([_PICTURES + int(index) + draw * 1_000_000_007 for index in index_B], width)
