"""Distances of two sets of features by a kernel: KID, and CMMD on CLIP's features.

Either is a squared maximum mean discrepancy (Gretton et al., *A Kernel Two-Sample Test*, JMLR 2012).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torchmetrics.image.kid import poly_mmd

from sound2scene.ranges import PLENTY, check
from sound2scene.seeds import seed_of
from sound2scene.types import DivergedError, InputError

SIGMA, SCALE = 10.0, 1000.0  # of CMMD, as published
_CHUNK = 512  # pictures at a time


def kid(
    real_ND: Tensor, fake_MD: Tensor, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> float:
    """Kernel Inception Distance: mean over random subsets, by torchmetrics' kernel and unbiased estimate.

    Source: Bińkowski et al., *Demystifying MMD GANs*, arXiv:1801.01401, section 4.

    Args:
        real_ND: Features of real pictures.
        fake_MD: Features of generated pictures.
        subsets: How many subsets are drawn.
        subset_size: Pictures of either kind in each.
        seed: Seed of the subsets.

    Raises:
        InputError: If there are fewer pictures than a subset has, or a setting makes no sense.
        DivergedError: If a feature is not finite.
    """
    check("kid", PLENTY, subsets=subsets, subset_size=subset_size - 1)
    if min(len(real_ND), len(fake_MD)) < subset_size:
        raise InputError(
            f"the subset of KID has {subset_size} pictures, and there are {len(real_ND)} real and "
            f"{len(fake_MD)} generated ones; choose one that is no larger than either"
        )
    _check_finite(real_ND)
    _check_finite(fake_MD)
    dice = torch.Generator().manual_seed(seed_of("kid", seed))
    found = []
    for _ in range(subsets):
        real = real_ND[torch.randperm(len(real_ND), generator=dice)[:subset_size]]
        fake = fake_MD[torch.randperm(len(fake_MD), generator=dice)[:subset_size]]
        found.append(poly_mmd(real.cpu().double(), fake.cpu().double()))
    return float(torch.stack(found).mean())


def cmmd(real_ND: Tensor, fake_MD: Tensor) -> float:
    """CLIP maximum mean discrepancy, of all pairs of pictures, times 1,000 as published.

    Source: Jayasumana et al., *Rethinking FID: Towards a Better Evaluation Metric for Image Generation*,
    arXiv:2401.09603, section 4: a Gaussian kernel of width 10 on unit features, and the estimate in which a
    picture also meets itself.

    Args:
        real_ND: CLIP's features of real pictures, of any length.
        fake_MD: CLIP's features of generated pictures.

    Raises:
        InputError: If there are no pictures of either.
        DivergedError: If a feature is not finite.
    """
    if not len(real_ND) or not len(fake_MD):
        raise InputError("CMMD needs real and generated pictures; give clips of either")
    _check_finite(real_ND)
    _check_finite(fake_MD)
    within = _mean_kernel(real_ND, real_ND) + _mean_kernel(fake_MD, fake_MD)
    return SCALE * float(within - 2 * _mean_kernel(real_ND, fake_MD))


def _mean_kernel(one_ND: Tensor, other_MD: Tensor) -> Tensor:
    """Mean over all pairs of the kernel less 1: it hardly differs from 1 at this width, and ones cancel."""
    total = torch.zeros((), dtype=torch.float64)
    for one_BD in torch.split(one_ND, _CHUNK):
        unit_BD = _unit(one_BD)
        for other_CD in torch.split(other_MD, _CHUNK):
            squared_BC = 2 - 2 * unit_BD @ _unit(other_CD).T
            total += torch.expm1(squared_BC.div_(-2 * SIGMA**2)).sum()
    return total / (len(one_ND) * len(other_MD))


def _unit(feature_BD: Tensor) -> Tensor:
    return normalize(feature_BD.cpu().double(), dim=1)


def _check_finite(feature_ND: Tensor) -> None:
    if not all(torch.isfinite(part_BD).all() for part_BD in torch.split(feature_ND, _CHUNK)):
        raise DivergedError("features of pictures hold NaN or infinity; look at the pictures")
