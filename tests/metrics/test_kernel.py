import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchmetrics.image.kid import KernelInceptionDistance

from oracles import FloatArray
from sound2scene.metrics import kernel
from sound2scene.metrics.kernel import cmmd, kid
from sound2scene.seeds import seed_of
from sound2scene.types import DivergedError, InputError


def features(count: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed)) + shift


def slow_kid(real_ND: FloatArray, fake_ND: FloatArray) -> float:
    """One subset of all pictures, pair by pair (arXiv:1801.01401, section 4)."""

    def mean(one: FloatArray, other: FloatArray, skip_own: bool) -> float:
        values = [
            (float(x @ y) / len(x) + 1) ** 3
            for i, x in enumerate(one)
            for j, y in enumerate(other)
            if not (skip_own and i == j)
        ]
        return sum(values) / len(values)

    return mean(real_ND, real_ND, True) + mean(fake_ND, fake_ND, True) - 2 * mean(real_ND, fake_ND, False)


def slow_cmmd(real_ND: FloatArray, fake_MD: FloatArray) -> float:
    """arXiv:2401.09603, pair by pair."""
    real, fake = ([row / np.linalg.norm(row) for row in rows] for rows in (real_ND, fake_MD))

    def mean(one: list[FloatArray], other: list[FloatArray]) -> float:
        return float(np.mean([np.exp(-((x - y) @ (x - y)) / 200) for x in one for y in other]))

    return 1000 * (mean(real, real) + mean(fake, fake) - 2 * mean(real, fake))


def test_kid_of_one_subset_of_all_equals_its_formula() -> None:
    real_ND, fake_ND = features(17, 0), features(17, 1, 0.4)
    expected = slow_kid(real_ND.double().numpy(), fake_ND.double().numpy())
    assert kid(real_ND, fake_ND, subsets=1, subset_size=17) == pytest.approx(expected, rel=1e-9)


class Given(nn.Module):
    """Takes the place of torchmetrics' network."""

    num_features = 6

    def forward(self, feature_BD: Tensor) -> Tensor:
        return feature_BD


@pytest.mark.parametrize("seed", [0, 5])
def test_kid_equals_torchmetrics_on_the_subsets_of_our_seed(seed: int) -> None:
    real_ND, fake_MD = features(40, 0), features(31, 1, 0.4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = KernelInceptionDistance(Given(), subsets=7, subset_size=20).set_dtype(torch.float64)
    theirs.update(real_ND.double(), real=True)
    theirs.update(fake_MD.double(), real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("kid", seed))
        expected = float(theirs.compute()[0])
    assert kid(real_ND, fake_MD, subsets=7, subset_size=20, seed=seed) == pytest.approx(expected, rel=1e-6)


def test_kid_leaves_the_chance_of_the_run_alone_and_depends_on_its_seed() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first = [kid(features(40, 0), features(40, 1), 5, 20, seed) for seed in (0, 0, 1)]
    assert torch.equal(torch.rand(3), expected)
    assert first[0] == first[1] != first[2]


@pytest.mark.parametrize("chunk", [4, 1024])
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_cmmd_equals_its_formula(chunk: int, shift: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_CHUNK", chunk)
    real_ND, fake_MD = features(23, 0), features(14, 1, shift)
    expected = slow_cmmd(real_ND.double().numpy(), fake_MD.double().numpy())
    assert cmmd(real_ND, fake_MD) == pytest.approx(expected, rel=1e-9)


def test_cmmd_of_equal_sets_is_nothing_and_does_not_see_lengths() -> None:
    real_ND, fake_MD = features(30, 0), features(30, 1, 1.0)
    assert cmmd(real_ND, real_ND) == pytest.approx(0, abs=1e-9)
    assert cmmd(real_ND, 5 * fake_MD) == pytest.approx(cmmd(real_ND, fake_MD))


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(InputError, match="subset of KID has 20 pictures, and there are 40 real and 19 gen"):
        kid(features(40, 0), features(19, 1), subset_size=20)
    with pytest.raises(InputError, match="CMMD needs real and generated"):
        cmmd(features(3, 0), features(0, 1))
    with pytest.raises(InputError, match=r"kid.subsets is 0"):
        kid(features(3, 0), features(3, 1), subsets=0, subset_size=2)


def test_features_that_are_not_finite_are_refused() -> None:
    bad = features(9, 0).fill_(float("nan"))
    with pytest.raises(DivergedError, match="NaN or infinity"):
        cmmd(features(9, 0), bad)
    with pytest.raises(DivergedError, match="NaN or infinity"):
        kid(bad, features(9, 0), subset_size=5)
