"""Figures over the clips of a split, with intervals from resamples that all methods share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from sound2scene.metrics.intervals import Z, resamples

Better = Literal["higher", "lower"]


class Figure(NamedTuple):
    """A figure of a method.

    Attributes:
        name: What it is: `class recall at 1`.
        network: Network and size by which pictures are seen, and the reference set where there is one.
        better: Which values are better.
        value: The figure.
        low: Lower end of its 95 % interval; None where it has none.
        high: Upper end.
        items: Number N of clips, or of pictures where that is what it is taken over.
        resampled: The figure over each resample of the clips; of two methods on the same clips they belong
            together one by one, which gives the interval of a difference.
    """

    name: str
    network: str
    better: Better
    value: float
    low: float | None
    high: float | None
    items: int
    resampled: tuple[float, ...]


class Dice:
    """Resamples of the clips of a split, the same for every method and figure.

    Args:
        clips: Number N of clips.
        seed: Seed of the resamples.
        means: Number of resamples for means over clips.
        sets: Number of resamples for figures of whole sets.
    """

    def __init__(self, clips: int, seed: int, means: int, sets: int) -> None:
        self.clips, self.seed, self.means, self.sets = clips, seed, means, sets

    def mean(self, name: str, network: str, value_N: Tensor, better: Better = "higher") -> Figure | None:
        """A mean over clips, with the interval of its percentiles (Efron, 1979).

        Args:
            name: What it is.
            network: By what network.
            value_N: Value of each clip; NaN where it has none.
            better: Which values are better.

        Returns:
            The figure; None where no clip has a value.
        """
        value_N = value_N.double()
        known_N = ~value_N.isnan()
        if not known_N.any():
            return None
        filled_N, weight_N = value_N.nan_to_num(), known_N.double()
        found = [
            float(filled_N[row_N].sum() / weight_N[row_N].sum().clamp(min=1))
            for row_N in resamples(self.clips, self.means, self.seed)
        ]
        ends = torch.quantile(torch.tensor(found, dtype=torch.float64), torch.tensor([0.025, 0.975]).double())
        value = float(value_N[known_N].mean())
        low, high = float(ends[0]), float(ends[1])
        return Figure(name, network, better, value, low, high, int(known_N.sum()), tuple(found))

    def whole(
        self,
        name: str,
        network: str,
        figure: Callable[[Tensor], float],
        there_N: Tensor,
        items: int,
        better: Better = "higher",
    ) -> Figure:
        """A figure of a set of clips, with an interval of 1.96 standard deviations over resamples.

        A resample holds some clips twice, from which distances between sets grow: the deviations are right,
        the middle is not. So the interval lies around the figure itself.

        Args:
            name: What it is.
            network: By what network.
            figure: The figure over the clips of these positions, which may come more than once.
            there_N: Whether a method has a picture of each clip.
            items: Number of pictures.
            better: Which values are better.
        """
        value = figure(there_N.nonzero()[:, 0])
        found = [figure(row_N[there_N[row_N]]) for row_N in resamples(self.clips, self.sets, self.seed)]
        if len(found) < 2:
            return Figure(name, network, better, value, None, None, items, ())
        spread = Z * float(torch.tensor(found, dtype=torch.float64).std())
        return Figure(name, network, better, value, value - spread, value + spread, items, tuple(found))


class Difference(NamedTuple):
    """How far one method is from another on the same clips.

    Attributes:
        value: First figure less second.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p: Two-sided: how often chance would give as much where the two are alike.
    """

    value: float
    low: float
    high: float
    p: float


def difference(one: Figure, other: Figure) -> Difference | None:
    """The paired difference of two figures; None where one has no resamples or they are not alike."""
    if not one.resampled or len(one.resampled) != len(other.resampled):
        return None
    apart_R = torch.tensor(one.resampled, dtype=torch.float64) - torch.tensor(
        other.resampled, dtype=torch.float64
    )
    value, spread = one.value - other.value, float(apart_R.std())
    if spread == 0:
        return Difference(value, value, value, 1.0 if value == 0 else 0.0)
    p = math.erfc(abs(value) / spread / math.sqrt(2))
    return Difference(value, value - Z * spread, value + Z * spread, p)
