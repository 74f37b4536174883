import math

import numpy as np
import pytest

from sound2scene.metrics.repeats import paired_difference
from sound2scene.types import InputError


def test_the_interval_is_that_of_a_table_of_student() -> None:
    found = paired_difference([0.9, 0.8, 0.85], [0.7, 0.7, 0.7])
    assert found.value == pytest.approx(0.15)
    half = (
        4.3027 * 0.05 / math.sqrt(3)
    )  # t of 2 degrees of freedom, times the standard deviation of 0.2, 0.1, 0.15
    assert (found.low, found.high, found.items) == (
        pytest.approx(0.15 - half, abs=1e-5),
        pytest.approx(0.15 + half, abs=1e-5),
        3,
    )


def test_what_two_seeds_share_does_not_widen_the_interval() -> None:
    found = paired_difference([0.1, 0.9, 0.5], [0.0, 0.8, 0.4])
    assert found.high - found.low < 1e-12


def test_no_interval_follows_from_one_seed() -> None:
    assert paired_difference([0.5], [0.25]) == (0.25, -math.inf, math.inf, 1)


def test_the_interval_holds_the_truth_in_95_of_100_cases() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(1000):
        shared = rng.normal(size=3)  # what a seed does to both recipes
        found = paired_difference(list(shared + rng.normal(0.3, 1, 3)), list(shared))
        inside += found.low <= 0.3 <= found.high
    assert 930 <= inside <= 970


@pytest.mark.parametrize(("figures", "base"), [([], []), ([1.0], [1.0, 2.0])])
def test_other_seeds_are_refused(figures: list[float], base: list[float]) -> None:
    with pytest.raises(InputError, match="needs the same seeds of both recipes"):
        paired_difference(figures, base)
