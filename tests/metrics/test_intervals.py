import math

import numpy as np
import pytest
import torch

from sound2scene.metrics.intervals import (
    Statistic,
    bootstrap,
    difference,
    interval,
    resampled_mean,
    resamples,
    share,
)
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


def test_resamples_depend_on_seed_and_number_of_items_alone() -> None:
    first, again = (torch.stack(list(resamples(9, 20, 1))) for _ in range(2))
    assert first.shape == (20, 9)
    assert torch.equal(first, again)
    assert torch.equal(torch.stack(list(resamples(9, 5, 1))), first[:5])
    assert not torch.equal(torch.stack(list(resamples(9, 20, 2))), first)
    assert set(first.flatten().tolist()) == set(range(9))


def test_the_mean_of_each_resample_is_that_of_its_items_and_gives_the_interval_of_the_bootstrap() -> None:
    value_N = torch.randn(30, generator=torch.Generator().manual_seed(0))
    found_R = resampled_mean(value_N, 40, seed=3)
    by_hand = [np.mean(value_N.double().numpy()[row]) for row in resamples(30, 40, 3)]
    assert found_R.tolist() == pytest.approx(by_hand)
    mean = float(value_N.double().mean())
    assert interval(mean, resampled_mean(value_N, seed=3), 30) == pytest.approx(bootstrap(value_N, seed=3))


def test_a_difference_is_paired() -> None:
    # Items differ far more from each other than the methods do on any of them.
    dice = torch.Generator().manual_seed(0)
    one_N = 100 * torch.randn(50, generator=dice)
    other_N = one_N - 1 + 0.1 * torch.randn(50, generator=dice)
    one_R, other_R = resampled_mean(one_N), resampled_mean(other_N)
    found = difference(float(one_N.mean()), float(other_N.mean()), one_R, other_R, 50)
    assert found.estimate.value == pytest.approx(1, abs=0.1)
    assert found.estimate.items == 50
    assert 0.9 < found.estimate.low < found.estimate.high < 1.1
    assert found.p == pytest.approx(2 / 2001)  # the smallest that so many resamples can tell
    swapped = difference(float(other_N.mean()), float(one_N.mean()), other_R, one_R, 50)
    assert swapped.estimate.low == pytest.approx(-found.estimate.high)
    assert swapped.p == found.p


def test_equal_methods_do_not_differ() -> None:
    one_R = resampled_mean(torch.arange(9.0))
    found = difference(4.0, 4.0, one_R, one_R, 9)
    assert found == ((0, 0, 0, 9), 1)


def test_resamples_of_different_numbers_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="3 and 4 resamples are no pairs"):
        difference(0.0, 0.0, torch.zeros(3), torch.zeros(4), 9)


def within(share_of_95: float, trials: int) -> bool:
    """Whether a share is 95 % up to chance and the 2 % by which percentiles of few items fall short."""
    chance = 3 * math.sqrt(0.95 * 0.05 / trials)
    return 0.93 - chance < share_of_95 < 0.95 + chance


@pytest.mark.costly
@pytest.mark.parametrize("law", ["normal", "skewed", "share"])
def test_intervals_hold_the_truth_in_95_of_100_simulated_samples(law: str) -> None:
    dice, trials, items = np.random.default_rng(0), 300, 60
    covered = 0
    for trial in range(trials):
        value, truth = {
            "normal": (dice.normal(2, 3, items), 2.0),
            "skewed": (dice.exponential(1, items), 1.0),
            "share": (dice.random(items) < 0.3, 0.3),
        }[law]
        value_N = torch.from_numpy(value).double()
        found = interval(float(value_N.mean()), resampled_mean(value_N, 200, trial), items)
        covered += found.low <= truth <= found.high
    assert within(covered / trials, trials)


@pytest.mark.costly
def test_differences_hold_the_truth_in_95_of_100_and_p_is_below_5_percent_as_often_as_it_says() -> None:
    dice, trials, items = np.random.default_rng(1), 300, 60
    covered = significant = 0
    for trial in range(trials):
        item_N = dice.normal(0, 5, items)
        one_N, other_N = (torch.from_numpy(item_N + dice.normal(0, 1, items)) for _ in range(2))
        one_R, other_R = resampled_mean(one_N, 200, trial), resampled_mean(other_N, 200, trial)
        found = difference(float(one_N.mean()), float(other_N.mean()), one_R, other_R, items)
        covered += found.estimate.low <= 0 <= found.estimate.high
        significant += found.p < 0.05
    assert within(covered / trials, trials)
    assert within(1 - significant / trials, trials)
