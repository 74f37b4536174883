from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sound2scene.metrics import control
from sound2scene.types import Scene

rng = np.random.default_rng(0)


def unit(vector_D: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vector_D / np.sqrt(sum(one * one for one in vector_D)))


def apart(one_D: NDArray[np.float64], other_D: NDArray[np.float64]) -> float:
    return float(np.sqrt(sum((a - b) ** 2 for a, b in zip(unit(one_D), unit(other_D), strict=True))))


def rank(values: list[float]) -> list[float]:
    """Place of each in order, from 1; equal ones share the mean of theirs."""
    order = sorted(values)
    return [np.mean([place for place, one in enumerate(order, 1) if one == value]) for value in values]


def spearman(cause: list[float], effect: list[float]) -> float:
    a, b = rank(cause), rank(effect)
    above = sum((x - np.mean(a)) * (y - np.mean(b)) for x, y in zip(a, b, strict=True))
    below = np.sqrt(sum((x - np.mean(a)) ** 2 for x in a) * sum((y - np.mean(b)) ** 2 for y in b))
    return float(above / below) if below else 0.0


@pytest.mark.parametrize("steps", [2, 5, 7])
def test_the_rank_correlation_of_a_row_is_spearmans(steps: int) -> None:
    cause_S = rng.permutation(steps).astype(float)
    effect_NS = rng.integers(0, 4, (20, steps)).astype(float)  # with many equal values
    effect_NS[0] = 0.5
    found_N = control.rank_correlations(torch.from_numpy(cause_S), torch.from_numpy(effect_NS))
    expected = [spearman(list(cause_S), list(effect_S)) for effect_S in effect_NS]
    np.testing.assert_allclose(found_N, expected, atol=1e-12)


def test_what_grows_with_its_cause_has_rank_correlation_one_and_what_never_changes_none() -> None:
    gain_S = torch.tensor([-12.0, 0.0, 12.0])
    effect_NS = torch.tensor([[0.1, 0.2, 0.9], [0.9, 0.2, 0.1], [0.0, 0.0, 0.0]])
    assert control.rank_correlations(gain_S, effect_NS).tolist() == pytest.approx([1, -1, 0])


@pytest.mark.parametrize(("rows", "steps", "width"), [(1, 2, 3), (4, 9, 5), (3, 7, 8)])
def test_evenness_is_the_largest_step_over_the_mean_one_and_detour_the_way_over_its_ends(
    rows: int, steps: int, width: int
) -> None:
    feature_NSD = rng.normal(size=(rows, steps, width))
    even_N = control.evenness(torch.from_numpy(feature_NSD))
    detour_N = control.detour(torch.from_numpy(feature_NSD))
    for feature_SD, even, detour in zip(feature_NSD, even_N, detour_N, strict=True):
        lengths = [apart(one_D, next_D) for one_D, next_D in pairwise(feature_SD)]
        assert float(even) == pytest.approx(max(lengths) / (sum(lengths) / len(lengths)))
        assert float(detour) == pytest.approx(sum(lengths) / apart(feature_SD[0], feature_SD[-1]))


def test_one_leap_or_no_step_at_all_is_as_uneven_as_can_be() -> None:
    first_D, last_D = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    leap_SD = torch.stack([first_D] * 4 + [last_D])
    still_SD = torch.stack([first_D + 1e-7 * step for step in range(5)])  # last bits alone
    assert control.evenness(torch.stack([leap_SD, still_SD])).tolist() == pytest.approx([4, 4])
    assert control.detour(torch.stack([leap_SD, still_SD])).tolist() == pytest.approx([1, 4])


def test_equal_steps_of_a_circle_are_even() -> None:
    angle_S = torch.linspace(0, 1, 9)
    circle_SD = 3 * torch.stack([angle_S.cos(), angle_S.sin()], 1)
    assert float(control.evenness(circle_SD[None])) == pytest.approx(1, abs=1e-6)
    assert 1 < float(control.detour(circle_SD[None])) < 1.05


def test_what_the_reader_finds_is_taken_of_the_kind_that_is_asked_for() -> None:
    present_BK = torch.from_numpy(rng.integers(0, 2, (12, 4)).astype(np.float32))
    place_BK3 = torch.from_numpy(rng.uniform(0.1, 0.9, (12, 4, 3)).astype(np.float32)) * present_BK[..., None]
    read = Scene(present_BK, place_BK3, torch.zeros(12, dtype=torch.int64))
    kind_B2 = torch.from_numpy(np.stack([rng.permutation(4)[:2] for _ in range(12)]))
    size_B = control.sizes(read, kind_B2[:, 0])
    found_B, both_B = control.found(read, kind_B2[:, 0]), control.both_found(read, kind_B2)
    for number, (one, other) in enumerate(kind_B2.tolist()):
        assert size_B[number] == place_BK3[number, one, 2]
        assert bool(found_B[number]) == bool(present_BK[number, one])
        assert bool(both_B[number]) == bool(present_BK[number, one] and present_BK[number, other])
    assert 0 < int(both_B.sum()) < int(found_B.sum()) < 12


def test_a_size_moves_the_right_way_only_where_it_moves() -> None:
    before_N = torch.tensor([0.3, 0.3, 0.3, 0.3, 0.0])
    after_N = torch.tensor([0.4, 0.2, 0.3, 0.3 + 1e-6, 0.1])
    assert control.moved(before_N, after_N, 1).tolist() == [True, False, False, False, True]
    assert control.moved(before_N, after_N, -1).tolist() == [False, True, False, False, False]


@pytest.mark.parametrize("draws", [2, 3, 6])
def test_the_spread_of_draws_is_the_mean_distance_of_their_pairs(draws: int) -> None:
    feature_NJD = rng.normal(size=(5, draws, 4))
    found_N = control.spread(torch.from_numpy(feature_NJD))
    for feature_JD, found in zip(feature_NJD, found_N, strict=True):
        pairs = [apart(feature_JD[i], feature_JD[j]) for i in range(draws) for j in range(i)]
        assert float(found) == pytest.approx(sum(pairs) / len(pairs))


def test_the_spread_within_kinds_is_the_mean_distance_to_the_others_of_ones_kind() -> None:
    feature_ND, kinds = rng.normal(size=(7, 4)), [0, 2, 0, 1, 2, 0, 3]
    expected = []
    for kind in sorted(set(kinds)):
        same = [feature_D for feature_D, of in zip(feature_ND, kinds, strict=True) if of == kind]
        for number, one_D in enumerate(same):
            others = [apart(one_D, other_D) for place, other_D in enumerate(same) if place != number]
            expected += [sum(others) / len(others)] if others else []
    found_M = control.spread_within(torch.from_numpy(feature_ND), torch.tensor(kinds))
    np.testing.assert_allclose(found_M, expected)
    assert len(expected) == 5
