"""Figures over the clips of a split, with intervals from resamples that all methods share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from sound2scene.metrics.intervals import Difference, Z, difference, interval, resamples

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


class Whole(NamedTuple):
    """A figure of a set of pictures.

    Attributes:
        value: The figure.
        found_R: The same of each resample.
        items: Number of pictures.
    """

    value: float
    found_R: Tensor
    items: int


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
        items = int(known_N.sum())
        estimate = interval(float(value_N[known_N].mean()), torch.tensor(found), items)
        return Figure(name, network, better, *estimate, tuple(found))

    def correlation(self, name: str, network: str, whole: Whole) -> Figure:
        """A correlation over the clips, with the interval of its percentiles, which stay within [-1, 1].

        Args:
            name: What it is.
            network: By what network.
            whole: The figure, and the same of each resample of the clips.
        """
        value, found_R, items = whole
        if len(found_R) < 2:
            return Figure(name, network, "higher", value, None, None, items, ())
        return Figure(name, network, "higher", *interval(value, found_R, items), tuple(found_R.tolist()))

    def whole(self, name: str, network: str, whole: Whole, better: Better = "higher") -> Figure:
        """A figure of a set of pictures, with an interval of 1.96 standard deviations over resamples.

        A resample holds some clips twice, from which distances between sets grow: the deviations are right,
        the middle is not. So the interval lies around the figure itself.

        Args:
            name: What it is.
            network: By what network.
            whole: The figure, and the same of each resample of the clips.
            better: Which values are better.
        """
        value, found_R, items = whole
        if len(found_R) < 2:
            return Figure(name, network, better, value, None, None, items, ())
        spread = Z * float(found_R.double().std())
        return Figure(
            name, network, better, value, value - spread, value + spread, items, tuple(found_R.tolist())
        )

    def resampled(self, figures: Callable[[Iterator[Tensor]], Tensor], there_N: Tensor, draws: int) -> Tensor:
        """A figure of each resample of the clips, (R,); empty where none are asked for.

        Args:
            figures: Gives it of resamples, each the positions of its pictures among those that are there.
            there_N: Whether a method has pictures of each clip.
            draws: How many of each.
        """
        return figures(self._rows(there_N, draws)) if self.sets else torch.empty(0)

    def _rows(self, there_N: Tensor, draws: int) -> Iterator[Tensor]:
        place_N = there_N.long().cumsum(0) - 1
        draw_J = torch.arange(draws)
        for row_N in resamples(self.clips, self.sets, self.seed):
            chosen_M = place_N[row_N[there_N[row_N]]]
            yield (chosen_M[:, None] * draws + draw_J).flatten()


def apart(one: Figure, other: Figure) -> Difference | None:
    """The paired difference of two figures; None where one has no resamples or they are not alike."""
    if not one.resampled or len(one.resampled) != len(other.resampled):
        return None
    return difference(one.value, other.value, _centred(one), _centred(other), min(one.items, other.items))


def _centred(figure: Figure) -> Tensor:
    """Resamples around the figure itself; see :meth:`Dice.whole`."""
    found_R = torch.tensor(figure.resampled, dtype=torch.float64)
    return found_R - found_R.mean() + figure.value
