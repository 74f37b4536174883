"""Figures over a sample, with the 95 % interval in which the figure of the whole population would lie."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from sound2scene.seeds import seed_of
from sound2scene.types import InputError

Statistic = Literal["mean", "median"]
Z = 1.959964  # of a normal law, 95 % of which lie within so many standard deviations
RESAMPLES = 2000
_AT_ONCE = 250  # resamples that are drawn together, so that many items take little memory


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
    dice = torch.Generator().manual_seed(seed_of("bootstrap", seed))
    found = []
    for start in range(0, RESAMPLES, _AT_ONCE):
        size = (min(_AT_ONCE, RESAMPLES - start), len(value_N))
        found.append(_taken(value_N[torch.randint(len(value_N), size, generator=dice)], statistic))
    ends = torch.quantile(torch.cat(found), value_N.new_tensor([0.025, 0.975]))
    return Estimate(float(_taken(value_N[None], statistic)), float(ends[0]), float(ends[1]), len(value_N))


def _taken(value_RN: Tensor, statistic: Statistic) -> Tensor:
    """The statistic of each row; `Tensor.median` takes the lower of the middle two."""
    return value_RN.mean(1) if statistic == "mean" else torch.quantile(value_RN, 0.5, dim=1)


def _some(value_N: Tensor) -> Tensor:
    if not len(value_N):
        raise InputError("a figure over no items means nothing; give clips that it can be measured on")
    return value_N.double().cpu()
