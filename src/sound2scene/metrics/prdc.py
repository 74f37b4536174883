"""Precision, recall, density and coverage: whether fakes look real and reals are drawn.

The region of a set of features is the union of balls around each of them, which reach to its k-th nearest
neighbour in the set. Precision is the share of fakes in the region of the reals, recall the share of reals in
that of the fakes (Kynkäänniemi et al., *Improved Precision and Recall Metric for Assessing Generative
Models*, arXiv:1904.06991, section 2). Density counts in how many balls of reals each fake lies, over k, and
coverage is the share of reals in whose ball a fake lies (Naeem et al., *Reliable Fidelity and Diversity
Metrics for Generative Models*, arXiv:2002.09797, section 3). Balls are closed: a point on the edge is inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from sound2scene.scratch import IN_MEMORY, Scratch
from sound2scene.types import DivergedError, InputError

_CHUNK = 512  # pictures at a time, fewer where there are many
_PAIRS = 2**19  # pairs at a time
# Squared distances come from a product, whose rounding must not push a point on the edge of a ball outside.
_ROUNDING = 1e-12


class Prdc(NamedTuple):
    """What each picture adds to the four figures, which are the means, float64.

    Attributes:
        precision_M: Whether each fake lies in the region of the reals, 0 or 1.
        density_M: In how many balls of reals each fake lies, over k.
        recall_N: Whether each real lies in the region of the fakes, 0 or 1.
        coverage_N: Whether a fake lies in the ball of each real, 0 or 1.
    """

    precision_M: Tensor
    density_M: Tensor
    recall_N: Tensor
    coverage_N: Tensor


def prdc(real_ND: Tensor, fake_MD: Tensor, k: int = 5, scratch: Scratch = IN_MEMORY) -> Prdc:
    """Precision, density, recall and coverage, picture by picture.

    Memory grows with N + M and not with N times M.

    Args:
        real_ND: Features of real pictures.
        fake_MD: Features of generated pictures.
        k: To which neighbour a ball reaches.
        scratch: Room for the features of both in float64.

    Raises:
        InputError: If there are no more than k pictures of either.
        DivergedError: If a feature is not finite.
    """
    if min(len(real_ND), len(fake_MD)) <= k:
        raise InputError(
            f"{len(real_ND)} real and {len(fake_MD)} generated pictures are too few for precision and recall "
            f"with k = {k}; give more of either, or a smaller k"
        )
    mean_D = _mean(real_ND)
    real_ND, real_N = _centred(real_ND, mean_D, "real", scratch)
    fake_MD, fake_M = _centred(fake_MD, mean_D, "generated", scratch)
    reach_N, reach_M = _reach(real_ND, real_N, k), _reach(fake_MD, fake_M, k)
    inside_M = fake_MD.new_zeros(len(fake_MD))
    recall_N, coverage_N = fake_MD.new_zeros(2, len(real_ND))
    for rows in _parts(len(real_ND), len(fake_MD)):
        distance_BM, slack_BM = _squared(real_ND[rows], fake_MD, real_N[rows], fake_M)
        of_real_BM = distance_BM <= reach_N[rows, None] + slack_BM
        inside_M += of_real_BM.sum(0)
        coverage_N[rows] = of_real_BM.any(1).double()
        recall_N[rows] = (distance_BM <= reach_M + slack_BM).any(1).double()
    return Prdc((inside_M > 0).double(), inside_M / k, recall_N, coverage_N)


def _parts(items: int, others: int) -> Iterator[slice]:
    """Items so few at a time that their distances to all others take no more memory the more there are."""
    step = max(min(_CHUNK, _PAIRS // others), 1)
    for start in range(0, items, step):
        yield slice(start, start + step)


def _mean(feature_ND: Tensor) -> Tensor:
    sum_D = torch.zeros(feature_ND.shape[1], dtype=torch.float64)
    for part_BD in torch.split(feature_ND, _CHUNK):
        sum_D += part_BD.double().sum(0)
    return sum_D / len(feature_ND)


def _centred(feature_ND: Tensor, mean_D: Tensor, of: str, scratch: Scratch) -> tuple[Tensor, Tensor]:
    """Features in float64 around the reals' mean, where products of them round least, and their squares."""
    centred_ND = scratch.zeros(*feature_ND.shape, dtype=torch.float64)
    square_N = centred_ND.new_empty(len(feature_ND))
    for start in range(0, len(feature_ND), _CHUNK):
        rows = slice(start, start + _CHUNK)
        if not torch.isfinite(feature_ND[rows]).all():
            raise DivergedError(f"features of {of} pictures hold NaN or infinity; look at the pictures")
        torch.sub(feature_ND[rows].double(), mean_D, out=centred_ND[rows])
        square_N[rows] = centred_ND[rows].square().sum(1)
    return centred_ND, square_N


def _reach(feature_ND: Tensor, square_N: Tensor, k: int) -> Tensor:
    """Squared distance of each to its k-th nearest neighbour, which it is not itself."""
    reach_N = torch.empty_like(square_N)  # parts that are kept would lie in the way of reusing memory
    for rows in _parts(len(feature_ND), len(feature_ND)):
        distance_BN, _ = _squared(feature_ND[rows], feature_ND, square_N[rows], square_N)
        distance_BN.diagonal(offset=rows.start).fill_(torch.inf)
        reach_N[rows] = distance_BN.kthvalue(k, dim=1).values
    return reach_N


def _squared(one_BD: Tensor, other_ND: Tensor, square_B: Tensor, square_N: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distances, and by how much their rounding may make them differ."""
    both_BN = square_B[:, None] + square_N
    return torch.addmm(both_BN, one_BD, other_ND.T, alpha=-2).clamp_(min=0), both_BN.mul_(_ROUNDING)
