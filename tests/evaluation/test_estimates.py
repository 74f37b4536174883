import pytest
import torch
from torch import Tensor

from sound2scene.evaluation.estimates import Dice, Figure, Whole, apart
from sound2scene.metrics.intervals import Z, resamples

NAN = float("nan")


def test_a_mean_is_over_the_clips_that_have_a_value_and_so_are_its_resamples() -> None:
    value_N = torch.tensor([1.0, NAN, 0.0, 1.0])
    found = Dice(4, 0, 50, 0).mean("recall", "judge", value_N)
    assert found is not None
    assert (found.value, found.items) == (pytest.approx(2 / 3), 3)
    wanted = []
    for row_N in resamples(4, 50, 0):
        drawn = [value for value in value_N[row_N].tolist() if value == value]
        wanted.append(sum(drawn) / len(drawn) if drawn else 0.0)
    assert found.resampled == pytest.approx(wanted)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high


def test_a_mean_over_no_clip_is_left_out() -> None:
    assert Dice(2, 0, 5, 0).mean("recall", "judge", torch.full((2,), NAN)) is None


def test_a_figure_of_a_set_has_its_deviation_over_resamples_around_itself() -> None:
    found_R = torch.tensor([5.0, 6.0, 7.0, 8.0])
    found = Dice(4, 0, 5, 4).whole("FID", "judge", Whole(3.0, found_R, 8), "lower")
    spread = Z * float(found_R.std())
    assert (found.low, found.high) == (pytest.approx(3 - spread), pytest.approx(3 + spread))
    assert (found.better, found.items) == ("lower", 8)


def test_the_interval_of_a_correlation_stays_within_its_bounds() -> None:
    found_R = torch.tensor([1.0, 1.0, -1.0, 1.0])
    found = Dice(4, 0, 5, 4).correlation("height", "reader", Whole(0.9, found_R, 8))
    assert found.low is not None
    assert found.high is not None
    assert (-1 <= found.low < 0.9, found.high) == (True, 1)
    assert found.resampled == (1, 1, -1, 1)
    assert Dice(4, 0, 5, 4).correlation("height", "reader", Whole(0.9, found_R[:1], 8)).low is None


def test_without_resamples_a_figure_of_a_set_has_no_interval() -> None:
    dice = Dice(4, 0, 5, 0)
    found_R = dice.resampled(lambda rows: pytest.fail("asked"), torch.ones(4, dtype=torch.bool), 1)
    found = dice.whole("FID", "judge", Whole(3.0, found_R, 8))
    assert (found.low, found.high, found.resampled) == (None, None, ())


def test_a_resampled_clip_brings_all_its_draws_and_one_without_a_picture_brings_none() -> None:
    there_N = torch.tensor([True, False, True, True])
    rows: list[list[int]] = []

    def kept(given: object) -> Tensor:
        rows.extend(row_M.tolist() for row_M in given)  # type: ignore[attr-defined]
        return torch.zeros(len(rows))

    Dice(4, 0, 5, 20).resampled(kept, there_N, draws=2)
    place = {0: [0, 1], 2: [2, 3], 3: [4, 5]}
    wanted = [
        [one for clip in row_N.tolist() if clip in place for one in place[clip]]
        for row_N in resamples(4, 20, 0)
    ]
    assert rows == wanted


def figure(value: float, resampled: list[float]) -> Figure:
    return Figure("recall", "judge", "higher", value, None, None, 3, tuple(resampled))


def test_the_difference_of_a_method_to_itself_is_none_at_all() -> None:
    one = figure(0.5, [0.4, 0.5, 0.7])
    found = apart(one, one)
    assert found is not None
    assert tuple(found.estimate[:3]) == (0, 0, 0)
    assert found.p == 1


def test_what_shifts_the_resamples_of_a_set_does_not_shift_a_difference() -> None:
    found = apart(figure(3.0, [5.0, 6.0, 7.0]), figure(2.0, [1.0, 2.0, 3.0]))
    assert found is not None
    assert tuple(found.estimate[:3]) == pytest.approx((1, 1, 1))


def test_figures_without_resamples_or_with_others_have_no_difference() -> None:
    assert apart(figure(1, []), figure(1, [])) is None
    assert apart(figure(1, [1, 2]), figure(1, [1, 2, 3])) is None
