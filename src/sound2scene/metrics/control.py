"""What a change of the sound does to pictures, by what a reader finds and an image encoder sees in them.

Each figure is taken item by item, (N,), so that `sound2scene.metrics.intervals` can tell how sure it is. A
step is one picture of a row in which the sound or the latent changes from left to right.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from sound2scene.types import Scene

_STILL = 1e-5  # distance of unit vectors that differ in their last bits alone
_SAME_SIZE = 1e-4  # in picture sides, by which two readings of one picture may differ


def sizes(read: Scene, kind_B: Tensor) -> Tensor:
    """Diameter (B,) of the object of one kind in each picture, in picture sides; 0 where it is not found.

    Args:
        read: What a reader found.
        kind_B: Kind to look for in each.
    """
    return read.place_BK3[torch.arange(len(kind_B)), kind_B, 2]


def found(read: Scene, kind_B: Tensor) -> Tensor:
    """Whether an object of one kind was found in each picture, bool (B,).

    Args:
        read: What a reader found.
        kind_B: Kind to look for in each.
    """
    return read.present_BK[torch.arange(len(kind_B)), kind_B] > 0


def both_found(read: Scene, kind_B2: Tensor) -> Tensor:
    """Whether objects of two kinds were found in each picture, bool (B,); others may be there, too.

    Args:
        read: What a reader found.
        kind_B2: Two kinds to look for in each.
    """
    return found(read, kind_B2[:, 0]) & found(read, kind_B2[:, 1])


def rank_correlations(cause_S: Tensor, effect_NS: Tensor) -> Tensor:
    """Spearman's rank correlation of a cause and its effect over the steps of each row, (N,) in [-1, 1].

    Equal values share the mean of their ranks. A row in which nothing changes has 0: there is no effect.

    Args:
        cause_S: What is changed at each step, such as a gain in dB.
        effect_NS: What comes of it in each row, such as a size.
    """
    cause_S, effect_NS = (_centred(_ranks(values)) for values in (cause_S, effect_NS))
    length_N = cause_S.norm() * effect_NS.norm(dim=1)
    return torch.where(length_N > 0, (effect_NS @ cause_S) / length_N.clamp(min=1e-12), 0.0)


def step_lengths(feature_NSD: Tensor) -> Tensor:
    """Length of each step of ways through pictures, (N, S - 1), 0 to 2.

    It is the L2 distance of the features of consecutive pictures at unit length.

    Args:
        feature_NSD: What an image encoder sees in the S pictures of each way, of any length.
    """
    unit_NSD = normalize(feature_NSD.double(), dim=-1)
    length_NS: Tensor = (unit_NSD[:, 1:] - unit_NSD[:, :-1]).norm(dim=-1)
    return length_NS


def evenness(feature_NSD: Tensor) -> Tensor:
    """Largest step over mean step of each way, (N,) in [1, S - 1]; see :func:`step_lengths`.

    1 is an even pace; S - 1 is one leap, and what a way gets on which nothing moves, too: it shows no course.
    Pictures that have nothing to do with each other differ evenly as well: :func:`detour` tells them apart.

    Args:
        feature_NSD: What an image encoder sees in the S pictures of each way.
    """
    length_NS = step_lengths(feature_NSD)
    mean_N = length_NS.mean(1)
    worst = float(length_NS.shape[1])
    return torch.where(mean_N > _STILL, length_NS.amax(1) / mean_N.clamp(min=_STILL), worst)


def detour(feature_NSD: Tensor) -> Tensor:
    """Length of each way over the distance of its two ends, (N,), 1 or more.

    1 is the straight way; S - 1 is what unrelated pictures give. A way whose ends look the same has S - 1.

    Args:
        feature_NSD: What an image encoder sees in the S pictures of each way.
    """
    length_N = step_lengths(feature_NSD).sum(1)
    apart_N = step_lengths(feature_NSD[:, [0, -1]])[:, 0]
    worst = float(feature_NSD.shape[1] - 1)
    return torch.where(apart_N > _STILL, length_N / apart_N.clamp(min=_STILL), worst)


def moved(before_N: Tensor, after_N: Tensor, sign: int) -> Tensor:
    """Whether sizes moved the right way, bool (N,); one that stays has not moved.

    Args:
        before_N: Size before an edit, 0 where nothing is found.
        after_N: Size after it.
        sign: 1 where it should grow, -1 where it should shrink.
    """
    return (after_N - before_N) * sign > _SAME_SIZE


def spread(feature_NJD: Tensor) -> Tensor:
    """Mean L2 distance of each two of J pictures at unit length, (N,); how much draws of one latent differ.

    Args:
        feature_NJD: What an image encoder sees in at least two pictures of each item.
    """
    unit_NJD = normalize(feature_NJD.double(), dim=-1)
    distance_NJJ = torch.cdist(unit_NJD, unit_NJD, compute_mode="donot_use_mm_for_euclid_dist")
    draws = feature_NJD.shape[1]
    return distance_NJJ.sum((1, 2)) / (draws * (draws - 1))


def spread_within(feature_ND: Tensor, kind_N: Tensor) -> Tensor:
    """Mean L2 distance at unit length of each picture to the others of its kind, (M,).

    Pictures that are alone in their kind are left out.

    Args:
        feature_ND: What an image encoder sees in each picture.
        kind_N: Kind of each.
    """
    unit_ND = normalize(feature_ND.double(), dim=-1)
    parts = [unit_ND.new_zeros(0)]
    for kind in sorted(set(kind_N.tolist())):
        same_MD = unit_ND[kind_N == kind]
        if len(same_MD) > 1:
            distance_MM = torch.cdist(same_MD, same_MD, compute_mode="donot_use_mm_for_euclid_dist")
            parts.append(distance_MM.sum(1) / (len(same_MD) - 1))
    return torch.cat(parts)


def _ranks(values: Tensor) -> Tensor:
    """Rank of each value among its row's, from 0; equal ones share the mean of theirs."""
    one, other = values[..., :, None], values[..., None, :]
    return (one > other).double().sum(-1) + ((one == other).double().sum(-1) - 1) / 2


def _centred(rank: Tensor) -> Tensor:
    return rank - rank.mean(-1, keepdim=True)
