"""The latent space of the generator: its noise, and how a latent and noise become a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from sound2scene.protocols import whole_number
from sound2scene.seeds import seed_of
from sound2scene.types import InputError

Course = Literal["linear", "spherical"]
_OPPOSITE = 1e-3  # length of a mean of unit vectors below which it points nowhere
_CUT = 2.0  # standard deviations at which truncated noise ends (IC-GAN `predict.py`)


def noise(seed: int, draw: int, width: int, truncation: float = 1.0) -> Tensor:
    """Standard normal noise of one picture, a function of its seed and the number of its draw alone.

    This is the only law by which pictures are drawn (a GAN's own training draws its noise by the step). A
    grid gives all its rows one seed, so that draw j is the same noise for every sound; a figure over a split
    gives each clip the seed :func:`seed_of_clip`, so that its pictures vary. Either can be drawn again by
    `sound2scene generate --seed`, the latter with the number that :func:`seed_of_clip` gives.

    Args:
        seed: Seed of the picture, 0 or larger.
        draw: Number of the draw, from 0.
        width: Width of the generator's noise.
        truncation: Factor of the noise; 1 is plain noise, which the paper uses. Below 1, values beyond two
            standard deviations are drawn again before the noise is scaled (IC-GAN `predict.py`), which trades
            variety for fewer oddities; 0 is the mean.

    Returns:
        (width,) float32 on the CPU.

    Raises:
        InputError: If the truncation is not between 0 and 1.
    """
    if not 0 <= truncation <= 1:
        raise InputError(f"truncation is {truncation}; choose one between 0 and 1 (1: none)")
    dice = torch.Generator().manual_seed(seed_of(seed, draw))
    noise_Z = torch.randn(width, generator=dice)
    if truncation < 1:
        while (outside_Z := noise_Z.abs() > _CUT).any():
            noise_Z[outside_Z] = torch.randn(int(outside_Z.sum()), generator=dice)
        noise_Z *= truncation
    return noise_Z


def seed_of_clip(seed: int, key: str) -> int:
    """Seed of the pictures of one clip, where a figure over a split needs them to vary from clip to clip."""
    return seed_of(seed, key)


def noise_rows(
    generator: nn.Module, seeds: Sequence[int], draws: Sequence[int], truncation: float = 1.0
) -> Tensor:
    """Noise for a generator, a row for each pair of a seed and a draw; see :func:`noise`.

    Args:
        generator: Network whose `z_dim` is the width of the noise.
        seeds: Seed of each row.
        draws: Number of the draw of each row.
        truncation: Truncation of the noise.
    """
    width = whole_number(generator, "z_dim")
    rows = [noise(seed, draw, width, truncation) for seed, draw in zip(seeds, draws, strict=True)]
    return torch.stack(rows) if rows else torch.empty(0, width)


def uniform_rows(seeds: Sequence[int], draws: Sequence[int], width: int) -> Tensor:
    """Uniform numbers from [0, 1), a row for each pair of a seed and a draw, (B, width) on the CPU.

    They are the chance of networks that drop channels when they draw; the law is that of :func:`noise`.

    Args:
        seeds: Seed of each row.
        draws: Number of the draw of each row.
        width: Numbers in a row.
    """
    rows = [
        torch.rand(width, generator=torch.Generator().manual_seed(seed_of(seed, draw)))
        for seed, draw in zip(seeds, draws, strict=True)
    ]
    return torch.stack(rows) if rows else torch.empty(0, width)


def draw_pictures(generator: nn.Module, z_BD: Tensor, noise_BZ: Tensor) -> Tensor:
    """One picture of each latent, (B, 3, H, W) in [-1, 1]; the generator sees the latent at unit length.

    Args:
        generator: Network from (B, Z) noise and (B, D) unit features to pictures, on the device of the
            latents.
        z_BD: Latents of any length.
        noise_BZ: Noise of each picture, on any device.
    """
    drawn_BCHW: Tensor = generator(noise_BZ.to(z_BD.device), normalize(z_BD.float(), dim=1))
    return drawn_BCHW.float()


def between(first_D: Tensor, second_D: Tensor, share: float, course: Course = "linear") -> Tensor:
    """A latent between two, at unit length, as the generator learned to see latents.

    Args:
        first_D: Latent at share 0, of any length but 0.
        second_D: Latent at share 1.
        share: Part of the way, 0 to 1. At its two ends the latent itself comes back, bit for bit.
        course: `linear` weighs the two unit vectors and brings the sum back to unit length; `spherical` goes
            along the great circle at an even pace (Shoemake, *Animating rotation with quaternion curves*,
            1985).

    Raises:
        InputError: If the two point in opposite directions, between which no way is the shortest.
    """
    if share in (0, 1):
        return second_D if share else first_D
    first_D, second_D = normalize(first_D, dim=0), normalize(second_D, dim=0)
    if float((first_D + second_D).norm()) < _OPPOSITE:
        raise InputError("two latents point in opposite directions; put another station between them")
    first, second = 1 - share, share
    # The angle from both sums: an arc cosine loses half its digits where the two lie close together.
    angle = 2 * math.atan2(float((first_D - second_D).norm()), float((first_D + second_D).norm()))
    if course == "spherical" and angle > 0:
        first, second = math.sin(first * angle), math.sin(second * angle)
    return normalize(first * first_D + second * second_D, dim=0)


def noise_between(first_Z: Tensor, second_Z: Tensor, share: float) -> Tensor:
    """Noise between two independent draws, which is standard normal at every share as they are.

    The two are weighed by the cosine and the sine of a quarter turn, whose squares add up to 1.

    Args:
        first_Z: Noise at share 0; of any shape.
        second_Z: Noise at share 1.
        share: Part of the way, 0 to 1. At its two ends the noise itself comes back, bit for bit.
    """
    if share in (0, 1):
        return second_Z if share else first_Z
    angle = share * math.pi / 2
    return math.cos(angle) * first_Z + math.sin(angle) * second_Z
