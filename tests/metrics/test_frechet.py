from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
from PIL import Image
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from oracles import FloatArray
from random_inception import write_inception
from sound2scene.metrics.frechet import frechet, moments_of, resampled_frechet
from sound2scene.models.extractors import InceptionExtractor
from sound2scene.types import DivergedError, InputError


def features(count: int, width: int, seed: int, shift: float = 0.0) -> Tensor:
    """Correlated features, as networks give them."""
    dice = torch.Generator().manual_seed(seed)
    return (
        torch.randn(count, width, generator=dice) @ torch.randn(width, width, generator=dice) + shift
    ).relu()


def distance(one_ND: Tensor, other_ND: Tensor) -> float:
    return frechet(moments_of(one_ND), moments_of(other_ND))


def slow_frechet(one_ND: FloatArray, other_ND: FloatArray) -> float:
    """arXiv:1706.08500, Eq. 6, by scipy's root of a matrix."""
    gap = one_ND.mean(0) - other_ND.mean(0)
    one_DD, other_DD = np.cov(one_ND.T), np.cov(other_ND.T)
    root_DD = scipy.linalg.sqrtm(one_DD @ other_DD)
    return float(gap @ gap + np.trace(one_DD) + np.trace(other_DD) - 2 * np.trace(root_DD.real))


@pytest.mark.parametrize(("one", "other", "width"), [(200, 90, 7), (300, 300, 33), (64, 65, 64)])
def test_it_equals_its_formula_with_scipys_root(one: int, other: int, width: int) -> None:
    one_ND, other_ND = features(one, width, 0), features(other, width, 1, 0.5)
    expected = slow_frechet(one_ND.double().numpy(), other_ND.double().numpy())
    assert distance(one_ND, other_ND) == pytest.approx(expected, rel=1e-6)


class Given(nn.Module):
    """Takes the place of torchmetrics' network."""

    num_features = 24

    def forward(self, feature_BD: Tensor) -> Tensor:
        return feature_BD


@pytest.mark.parametrize("count", [10, 24, 25, 26, 500])
def test_it_equals_torchmetrics_with_fewer_pictures_than_features_and_with_more(count: int) -> None:
    one_ND, other_ND = features(count, 24, 0), features(60, 24, 1, 0.5)
    theirs = FrechetInceptionDistance(Given()).set_dtype(torch.float64)
    theirs.update(one_ND.double(), real=True)
    theirs.update(other_ND.double(), real=False)
    assert distance(one_ND, other_ND) == pytest.approx(float(theirs.compute()), rel=1e-5)
    assert distance(other_ND, one_ND) == pytest.approx(distance(one_ND, other_ND), rel=1e-6)


@pytest.mark.parametrize("count", [20, 33, 5000])
def test_moments_are_those_of_numpy_however_many_there_are(count: int) -> None:
    feature_ND = features(count, 32, 0, 1000.0)
    found = moments_of(feature_ND)
    assert found.items == count
    np.testing.assert_allclose(found.mean_D, feature_ND.double().numpy().mean(0), rtol=1e-12)
    np.testing.assert_allclose(
        found.covariance(), np.cov(feature_ND.double().numpy().T), rtol=1e-7, atol=1e-7
    )


def test_features_that_depend_on_each_other_change_nothing() -> None:
    one_ND, other_ND = features(200, 8, 0), features(200, 8, 1, 0.5)
    twice, again = (torch.cat([rows, rows, torch.ones(200, 3)], 1) for rows in (one_ND, other_ND))
    assert distance(twice, again) == pytest.approx(2 * distance(one_ND, other_ND), rel=1e-6)


def test_equal_sets_have_no_distance_and_a_shift_has_its_square() -> None:
    feature_ND = torch.randn(100, 16, generator=torch.Generator().manual_seed(0))
    assert distance(feature_ND, feature_ND) == pytest.approx(0, abs=1e-5)
    for seed in range(20):  # half of them fall below 0 by rounding
        feature_ND = torch.randn(100, 16, generator=torch.Generator().manual_seed(seed))
        assert distance(feature_ND, feature_ND.flip(0)) >= 0
    assert distance(feature_ND, feature_ND + 3.0) == pytest.approx(9 * 16, rel=1e-6)


@pytest.mark.parametrize(("fakes", "reals", "width"), [(40, 90, 12), (30, 10, 50), (90, 40, 50)])
def test_resamples_have_the_distances_of_their_pictures(fakes: int, reals: int, width: int) -> None:
    real, fake_ND = moments_of(features(reals, width, 0)), features(fakes, width, 1, 0.5)
    rows = torch.randint(fakes, (5, fakes), generator=torch.Generator().manual_seed(2))
    expected = [frechet(real, moments_of(fake_ND[row])) for row in rows]
    assert resampled_frechet(real, fake_ND, rows).tolist() == pytest.approx(expected, rel=1e-7)


@pytest.mark.slow
def test_it_equals_torch_fidelity_on_the_same_folders_of_pictures(tmp_path: Path) -> None:
    fidelity = pytest.importorskip("torch_fidelity")
    weights, dice = write_inception(tmp_path / "weights.pth"), np.random.default_rng(0)
    extractor, moments = InceptionExtractor(str(weights)), []
    for folder, count, brightest in (("real", 4, 256), ("fake", 3, 128)):
        (tmp_path / folder).mkdir()
        pixels = dice.integers(0, brightest, (count, 8, 8, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
        for number, picture in enumerate(pixels):
            Image.fromarray(picture).save(tmp_path / folder / f"{number:02}.png")
        moments.append(moments_of(extractor.measure(torch.from_numpy(pixels).permute(0, 3, 1, 2)).feature_BD))
    theirs = fidelity.calculate_metrics(
        input1=str(tmp_path / "fake"),
        input2=str(tmp_path / "real"),
        fid=True,
        cuda=False,
        batch_size=4,
        verbose=False,
        cache=False,
        save_cpu_ram=True,  # without worker processes
        feature_extractor_weights_path=str(weights),
    )["frechet_inception_distance"]
    assert frechet(*moments) == pytest.approx(theirs, rel=1e-4)


def test_one_picture_has_no_spread_and_is_refused() -> None:
    with pytest.raises(InputError, match=r"two pictures of either set, not 1; give more clips"):
        moments_of(torch.zeros(1, 4))


def test_features_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DivergedError, match="NaN or infinity"):
        moments_of(torch.full((3, 4), float("inf")))
