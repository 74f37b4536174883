import math

import numpy as np
import pytest
import torch

from sound2scene.metrics.intervals import Statistic, bootstrap, share
from sound2scene.types import InputError


def covers(low: float, high: float, right: int, of: int) -> None:
    """The ends of Wilson's interval are the shares from which what was seen lies 1.96 deviations away."""
    for end in (low, high):
        assert abs(right / of - end) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / of), rel=1e-5)


@pytest.mark.parametrize(("right", "of"), [(1, 7), (5, 10), (89, 90), (300, 512)])
def test_the_ends_of_a_shares_interval_are_where_the_normal_law_puts_what_was_seen(
    right: int, of: int
) -> None:
    found = share(torch.arange(of) < right)
    assert (found.value, found.items) == (pytest.approx(right / of), of)
    covers(found.low, found.high, right, of)


def test_a_share_of_all_or_none_is_not_taken_for_certain() -> None:
    every, none = share(torch.ones(20)), share(torch.zeros(20))
    assert (every.value, every.high) == (1, 1)
    assert every.low == pytest.approx(20 / (20 + 1.959964**2))
    assert (none.low, none.high) == (0, pytest.approx(1 - every.low))


@pytest.mark.parametrize("of", range(1, 40))
def test_a_share_lies_in_its_interval(of: int) -> None:
    for right in range(of + 1):
        found = share(torch.arange(of) < right)
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_answers_that_depend_on_each_other_count_as_one() -> None:
    halves, whole = share(torch.tensor([0.5, 0.5, 1.0, 0.0])), share(torch.tensor([1.0, 0.0, 1.0, 0.0]))
    assert halves == whole


@pytest.mark.parametrize(("statistic", "count"), [("mean", 40), ("median", 40), ("median", 41)])
def test_an_interval_by_resampling_equals_one_made_by_hand(statistic: Statistic, count: int) -> None:
    value_N = np.random.default_rng(count).normal(3, 2, count)
    of = {"mean": np.mean, "median": np.median}[statistic]
    found = bootstrap(torch.from_numpy(value_N), statistic, seed=1)
    rng = np.random.default_rng(0)
    by_hand = sorted(float(of(rng.choice(value_N, count))) for _ in range(4000))
    assert found.value == pytest.approx(float(of(value_N)))
    wide = by_hand[3900] - by_hand[100]
    assert found.low == pytest.approx(by_hand[100], abs=0.12 * wide)
    assert found.high == pytest.approx(by_hand[3900], abs=0.12 * wide)


def test_the_same_seed_gives_the_same_interval() -> None:
    value_N = torch.randn(30, generator=torch.Generator().manual_seed(0))
    assert bootstrap(value_N, seed=3) == bootstrap(value_N, seed=3)
    assert bootstrap(value_N, seed=3) != bootstrap(value_N, seed=4)


@pytest.mark.parametrize("of", [share, bootstrap])
def test_a_figure_over_nothing_is_refused(of: object) -> None:
    assert callable(of)
    with pytest.raises(InputError, match="no items"):
        of(torch.zeros(0))
