"""Figures of runs that differ in their seed alone, and what two recipes differ by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from sound2scene.metrics.intervals import Estimate
from sound2scene.types import InputError


def paired_difference(figures: Sequence[float], base: Sequence[float]) -> Estimate:
    """Mean of the differences seed by seed, with the 95 % interval of Student's t over them.

    The interval is of the chance in training alone: it says what other seeds would give on the same clips.
    Source: Student, *The probable error of a mean*, 1908.

    Args:
        figures: A figure of each seed.
        base: The figure of the other recipe, for the same seeds in the same order.

    Returns:
        The estimate; of one seed, from which no interval follows, with infinite ends.

    Raises:
        InputError: If there are no seeds, or not as many of both.
    """
    if not figures or len(figures) != len(base):
        raise InputError(
            f"a paired difference needs the same seeds of both recipes, not {len(figures)} and {len(base)}"
        )
    difference_S = np.asarray(figures, float) - np.asarray(base, float)
    mean, count = float(difference_S.mean()), len(difference_S)
    if count < 2:
        return Estimate(mean, -math.inf, math.inf, count)
    half = float(stats.t.ppf(0.975, count - 1) * difference_S.std(ddof=1) / math.sqrt(count))
    return Estimate(mean, mean - half, mean + half, count)
