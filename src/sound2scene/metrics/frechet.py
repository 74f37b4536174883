"""Fréchet distance of two sets of features, each taken for a normal law: FID on any network's features.

Of means m, m' and covariances S, S' it is |m - m'|² + tr S + tr S' - 2 tr (S S')^(1/2) (Heusel et al., *GANs
Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium*, arXiv:1706.08500, Eq. 6). With
roots of the covariances, S = RᵀR, the last trace is the sum of the singular values of RR'ᵀ. Of N centred rows
of width D, the rows themselves are a root, so that fewer pictures than features cost less and lose nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from sound2scene.scratch import IN_MEMORY, Scratch
from sound2scene.types import DivergedError, InputError

_CHUNK = 1024  # pictures at a time


class Moments(NamedTuple):
    """Mean and covariance of a set of features, float64.

    Attributes:
        mean_D: Mean.
        root_RD: A root of the covariance, of at most D rows.
        items: How many features there were.
    """

    mean_D: Tensor
    root_RD: Tensor
    items: int

    def covariance(self) -> Tensor:
        """Covariance (D, D), over one less than the number of items."""
        return self.root_RD.T @ self.root_RD


def moments_of(feature_ND: Tensor) -> Moments:
    """Moments of a set of features of any dtype, on the CPU.

    Args:
        feature_ND: Features.

    Raises:
        InputError: If there are fewer than two.
        DivergedError: If one is not finite.
    """
    items, width = feature_ND.shape
    if items < 2:
        raise InputError(f"a Fréchet distance needs two pictures of either set, not {items}; give more clips")
    mean_D = torch.zeros(width, dtype=torch.float64)
    for part_BD in _doubled(feature_ND):
        mean_D += part_BD.sum(0)
    mean_D /= items
    if not torch.isfinite(mean_D).all():
        raise DivergedError("features of pictures hold NaN or infinity; look at the pictures")
    if items <= width:
        return Moments(mean_D, (feature_ND.cpu().double() - mean_D) / (items - 1) ** 0.5, items)
    scatter_DD = mean_D.new_zeros(width, width)
    for part_BD in _doubled(feature_ND):
        centred_BD = part_BD - mean_D
        scatter_DD.addmm_(centred_BD.T, centred_BD)
    return Moments(mean_D, _root(scatter_DD / (items - 1)), items)


def _doubled(feature_ND: Tensor) -> Iterator[Tensor]:
    """Some rows at a time, in float64 on the CPU: a copy of them all would be what takes the most memory."""
    for part_BD in torch.split(feature_ND, _CHUNK):
        yield part_BD.cpu().double()


def _root(covariance_DD: Tensor) -> Tensor:
    root_DD: Tensor
    root_DD, failed = torch.linalg.cholesky_ex(covariance_DD, upper=True)
    if not failed:
        return root_DD
    # Features that depend on each other; eigenvectors take ten times as long.
    value_D, vector_DD = torch.linalg.eigh(covariance_DD)
    root_DD = value_D.clamp(min=0).sqrt()[:, None] * vector_DD.T
    return root_DD


def _singular_sum(matrix: Tensor) -> Tensor:
    """Sum of singular values, by the eigenvalues of the smaller square: four times faster than `svdvals`.

    One that is 0 may come out as 1e-8 of the largest.
    """
    square = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
    return _roots(square)


def _roots(square: Tensor) -> Tensor:
    """Sum of the roots of the eigenvalues."""
    total: Tensor = torch.linalg.eigvalsh(square).clamp(min=0).sqrt().sum()
    return total


def frechet(one: Moments, other: Moments) -> float:
    """Fréchet distance of two sets of features; 0 for equal moments, up to rounding, and never below.

    Args:
        one: Moments of one set.
        other: Moments of the other.
    """
    spread = one.root_RD.square().sum() + other.root_RD.square().sum()
    common = _singular_sum(one.root_RD @ other.root_RD.T)
    return max(0.0, float((one.mean_D - other.mean_D).square().sum() + spread - 2 * common))


def resampled_frechet(
    real: Moments, fake_ND: Tensor, rows: Iterable[Tensor], scratch: Scratch = IN_MEMORY
) -> Tensor:
    """Fréchet distances of resamples of generated pictures to the same reals, float64 (R,).

    A resample holds some pictures twice and lacks others, so that its distance is larger than that of the
    pictures themselves: take the spread of these values, not their place.

    Args:
        real: Moments of the real pictures.
        fake_ND: Features of the generated pictures.
        rows: Positions of the pictures of each resample.
        scratch: Room for a float64 matrix (N, R), R being the rows of the reals' root.
    """
    fake_ND = fake_ND.cpu()
    seen_NR = scratch.zeros(len(fake_ND), len(real.root_RD), dtype=torch.float64)
    length_N = seen_NR.new_empty(len(fake_ND))
    for part_BD, seen_BR, length_B in zip(
        _doubled(fake_ND), torch.split(seen_NR, _CHUNK), torch.split(length_N, _CHUNK), strict=True
    ):
        torch.mm(part_BD - real.mean_D, real.root_RD.T, out=seen_BR)
        length_B.copy_(part_BD.square().sum(1))
    total, found = real.root_RD.square().sum(), []
    for row_N in rows:
        # Each picture once, and how often: a third of the rows fall away.
        once, count = torch.unique(row_N, return_counts=True)
        weight = count.double() / len(row_N)
        unbiased = len(row_N) / (len(row_N) - 1)
        mean_D, seen_R = _weighted_sum(fake_ND, once, weight), _weighted_sum(seen_NR, once, weight)
        spread = ((weight @ length_N[once]) - mean_D.square().sum()) * unbiased
        common = _singular_sum_of(seen_NR, seen_R, once, weight * unbiased)
        found.append((mean_D - real.mean_D).square().sum() + total + spread - 2 * common)
    return torch.stack(found)


def _weighted_sum(row_ND: Tensor, once_M: Tensor, weight_M: Tensor) -> Tensor:
    """Sum of some rows, each by its weight, float64."""
    sum_D = torch.zeros(row_ND.shape[1], dtype=torch.float64)
    for once_B, weight_B in zip(torch.split(once_M, _CHUNK), torch.split(weight_M, _CHUNK), strict=True):
        sum_D += weight_B @ row_ND[once_B].double()
    return sum_D


def _singular_sum_of(seen_NR: Tensor, mean_R: Tensor, once_M: Tensor, weight_M: Tensor) -> Tensor:
    """Sum of singular values of some rows, centred, each by the root of its weight."""
    if len(once_M) <= seen_NR.shape[1]:
        return _singular_sum((seen_NR[once_M] - mean_R) * weight_M.sqrt()[:, None])
    square_RR = seen_NR.new_zeros(seen_NR.shape[1], seen_NR.shape[1])
    for once_B, weight_B in zip(torch.split(once_M, _CHUNK), torch.split(weight_M, _CHUNK), strict=True):
        root_BR = (seen_NR[once_B] - mean_R) * weight_B.sqrt()[:, None]
        square_RR.addmm_(root_BR.T, root_BR)
    return _roots(square_RR)
