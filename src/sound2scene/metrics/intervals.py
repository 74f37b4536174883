"""Figures over a sample, with the 95 % interval in which the figure of the whole population would lie."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from sound2scene.seeds import seed_of
from sound2scene.types import InputError

Statistic = Literal["mean", "median"]
Z = 1.959964  # of a normal law, 95 % of which lie within so many standard deviations
RESAMPLES = 2000
_AT_ONCE = 250  # resamples of which a statistic is taken together, so that many items take little memory


class Estimate(NamedTuple):
    """A figure with its 95 % interval.

    Attributes:
        value: The figure.
        low: Lower end of the interval.
        high: Upper end.
        items: Number N of items that it is taken over.
    """

    value: float
    low: float
    high: float
    items: int


class Difference(NamedTuple):
    """How much a figure of one method differs from that of another on the same items.

    Attributes:
        estimate: The first less the second, with its interval.
        p: How often chance alone would give so large a difference of either sign, above 0 and at most 1.
    """

    estimate: Estimate
    p: float


def share(right_N: Tensor) -> Estimate:
    """A share with Wilson's interval, which holds for shares near 0 and 1, too.

    Source: Wilson, *Probable inference, the law of succession, and statistical inference*, 1927.

    Args:
        right_N: Whether each item is right; one may be right in part, between 0 and 1, where several answers
            to it depend on one another and so count as one.

    Raises:
        InputError: If there are no items.
    """
    value_N = _some(right_N)
    count, part = len(value_N), float(value_N.mean())
    middle = (part + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z / (1 + Z**2 / count) * math.sqrt(part * (1 - part) / count + Z**2 / (4 * count**2))
    # The share itself lies inside, whatever rounding makes of an end at 0 or 1.
    return Estimate(part, min(part, max(0.0, middle - half)), max(part, min(1.0, middle + half)), count)


def bootstrap(value_N: Tensor, statistic: Statistic = "mean", seed: int = 0) -> Estimate:
    """A mean or a median with the interval of its percentiles over resamples of the items.

    Source: Efron, *Bootstrap methods: another look at the jackknife*, 1979.

    Args:
        value_N: Value of each item, finite.
        statistic: What is taken over them; the median of an even number is the mean of the middle two.
        seed: Seed of the resamples; the same seed gives the same interval.

    Raises:
        InputError: If there are no items.
    """
    value_N = _some(value_N)
    rows, found = resamples(len(value_N), RESAMPLES, seed), []
    while some := list(itertools.islice(rows, _AT_ONCE)):
        found.append(_taken(value_N[torch.stack(some)], statistic))
    return interval(float(_taken(value_N[None], statistic)), torch.cat(found), len(value_N))


def resamples(items: int, count: int = RESAMPLES, seed: int = 0) -> Iterator[Tensor]:
    """Positions (N,) of the items of each resample, drawn with replacement.

    They depend on the arguments alone, so that figures of several methods over the same items meet the same
    resamples, and their differences are paired.

    Args:
        items: Number N of items.
        count: Number of resamples.
        seed: Seed of the draws.
    """
    dice = torch.Generator().manual_seed(seed_of("bootstrap", seed))
    for _ in range(count):
        yield torch.randint(items, (items,), generator=dice)


def resampled_mean(value_N: Tensor, count: int = RESAMPLES, seed: int = 0) -> Tensor:
    """Mean of each resample, float64 (R,); see :func:`resamples`.

    Args:
        value_N: Value of each item, finite.
        count: Number of resamples.
        seed: Seed of the draws.

    Raises:
        InputError: If there are no items.
    """
    value_N = _some(value_N)
    rows, found = resamples(len(value_N), count, seed), []
    while some := list(itertools.islice(rows, _AT_ONCE)):
        found.append(value_N[torch.stack(some)].mean(1))
    return torch.cat(found)


def interval(value: float, value_R: Tensor, items: int) -> Estimate:
    """A figure with the interval of the percentiles of its resamples.

    Args:
        value: The figure.
        value_R: The same figure of each resample.
        items: Number of items that were resampled.
    """
    value_R = value_R.double().cpu()
    low, high = torch.quantile(value_R, value_R.new_tensor([0.025, 0.975])).tolist()
    return Estimate(value, low, high, items)


def difference(one: float, other: float, one_R: Tensor, other_R: Tensor, items: int) -> Difference:
    """A difference of two figures over the same items, by the paired bootstrap.

    Of R resamples, those in which the difference has the other sign, or is 0, are evidence against it; twice
    their share, (count + 1) / (R + 1), is p (Davison and Hinkley, *Bootstrap Methods and their Application*,
    1997, section 4.2).

    Args:
        one: Figure of the first method.
        other: Figure of the second.
        one_R: Figure of the first of each resample.
        other_R: Figure of the second of the same resamples, in the same order.
        items: Number of items that were resampled.

    Raises:
        ValueError: If they have different numbers of resamples.
    """
    if one_R.shape != other_R.shape:
        raise ValueError(f"{len(one_R)} and {len(other_R)} resamples are no pairs")
    apart_R = one_R.double().cpu() - other_R.double().cpu()
    against = min(int((apart_R <= 0).sum()), int((apart_R >= 0).sum()))
    p = min(1.0, 2 * (against + 1) / (len(apart_R) + 1))
    return Difference(interval(one - other, apart_R, items), p)


def _taken(value_RN: Tensor, statistic: Statistic) -> Tensor:
    """The statistic of each row; `Tensor.median` takes the lower of the middle two."""
    return value_RN.mean(1) if statistic == "mean" else torch.quantile(value_RN, 0.5, dim=1)


def _some(value_N: Tensor) -> Tensor:
    if not len(value_N):
        raise InputError("a figure over no items means nothing; give clips that it can be measured on")
    return value_N.double().cpu()
