import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torchmetrics.image.inception import InceptionScore

import oracles
from sound2scene.metrics.classes import (
    inception_score,
    label_ranks,
    paired_cosines,
    resampled_inception_score,
    wanted_found,
)
from sound2scene.types import DivergedError, InputError


def scores(count: int, kinds: int, seed: int, levels: int | None = None) -> Tensor:
    """Random scores; of few levels, so that many are equal."""
    dice = torch.Generator().manual_seed(seed)
    if levels:
        return torch.randint(levels, (count, kinds), generator=dice).float()
    return 2 * torch.randn(count, kinds, generator=dice)


@pytest.mark.parametrize("levels", [None, 1, 3])
def test_label_ranks_equal_sorting_with_ties_against_the_picture(levels: int | None) -> None:
    logits_NK = scores(40, 7, 0, levels)
    label_N = torch.randint(-1, 7, (40,), generator=torch.Generator().manual_seed(1))
    expected = []
    for row, label in zip(logits_NK.tolist(), label_N.tolist(), strict=True):
        if label >= 0:
            order = sorted(range(7), key=lambda kind, row=row, own=label: (-row[kind], kind == own))
            expected.append(order.index(label))
    assert label_ranks(logits_NK, label_N).tolist() == expected


@pytest.mark.parametrize("levels", [None, 1, 3])
def test_wanted_classes_are_found_among_as_many_first_ones_with_ties_against_them(levels: int | None) -> None:
    logits_NK = scores(60, 6, 0, levels)
    wanted_NK = torch.rand(60, 6, generator=torch.Generator().manual_seed(1)) < 0.3
    expected = []
    for row, wanted in zip(logits_NK.tolist(), wanted_NK.tolist(), strict=True):
        if any(wanted):
            hits = [
                sum(other >= row[kind] for other in row) - 1 < sum(wanted)
                for kind in range(6)
                if wanted[kind]
            ]
            expected.append(sum(hits) / len(hits))
    assert wanted_found(logits_NK, wanted_NK).tolist() == pytest.approx(expected)


def test_two_wanted_classes_that_score_alike_above_the_rest_are_both_found() -> None:
    logits_NK, wanted_NK = torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[True, True, False]])
    assert wanted_found(logits_NK, wanted_NK).tolist() == [1.0]
    assert wanted_found(logits_NK, wanted_NK.flip(1)).tolist() == [0.5]
    assert wanted_found(torch.ones(1, 3), wanted_NK).tolist() == [0.0]


def slow_inception_score(logits_NK: Tensor) -> float:
    """arXiv:1606.03498: exp of the mean KL divergence, in NumPy."""
    p = logits_NK.double().softmax(1).numpy()
    return float(np.exp(np.mean([(row * np.log(row / p.mean(0))).sum() for row in p])))


@pytest.mark.parametrize(("count", "kinds"), [(1, 4), (9, 3), (64, 50)])
def test_inception_score_equals_its_formula_and_torchmetrics(count: int, kinds: int) -> None:
    logits_NK = scores(count, kinds, 0)
    assert inception_score(logits_NK) == pytest.approx(slow_inception_score(logits_NK), rel=1e-9)
    theirs = InceptionScore(torch.nn.Identity(), splits=1)
    theirs.update(logits_NK)
    assert inception_score(logits_NK) == pytest.approx(float(theirs.compute()[0]), rel=1e-4)


def test_inception_score_spans_one_to_the_number_of_classes() -> None:
    sure = 1e4 * torch.eye(5)[torch.arange(40) % 5]
    assert inception_score(sure) == pytest.approx(5)
    assert inception_score(sure[:1].expand(9, -1)) == pytest.approx(1)


def test_resamples_have_the_inception_scores_of_their_pictures() -> None:
    logits_NK = scores(30, 4, 0)
    rows = torch.randint(30, (6, 30), generator=torch.Generator().manual_seed(1))
    expected = [slow_inception_score(logits_NK[row]) for row in rows]
    assert resampled_inception_score(logits_NK, rows).tolist() == pytest.approx(expected, rel=1e-9)


def test_paired_cosines_are_those_of_each_row() -> None:
    one_ND, other_ND = scores(9, 5, 0), scores(9, 5, 1)
    expected = [oracles.cosine(a, b) for a, b in zip(one_ND.numpy(), other_ND.numpy(), strict=True)]
    assert paired_cosines(one_ND, other_ND).tolist() == pytest.approx(expected)
    assert paired_cosines(one_ND, 3 * one_ND).tolist() == pytest.approx([1.0] * 9)


def test_scores_that_are_not_finite_and_no_pictures_are_refused() -> None:
    bad, label_N = torch.tensor([[0.0, math.nan]]), torch.tensor([0])
    for measure in (
        lambda: label_ranks(bad, label_N),
        lambda: wanted_found(bad, torch.ones(1, 2, dtype=torch.bool)),
        lambda: inception_score(bad),
        lambda: paired_cosines(torch.ones(1, 2), bad),
    ):
        with pytest.raises(DivergedError, match="NaN or infinity"):
            measure()
    with pytest.raises(InputError, match="no pictures"):
        inception_score(torch.zeros(0, 3))
