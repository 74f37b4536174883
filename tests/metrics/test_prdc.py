import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from oracles import FloatArray
from sound2scene.metrics import prdc as module
from sound2scene.metrics.prdc import prdc
from sound2scene.types import DivergedError, InputError


def features(count: int, width: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) + shift


def slow_prdc(real_ND: FloatArray, fake_MD: FloatArray, k: int) -> list[list[float]]:
    """The definitions, one pair of pictures at a time."""

    def squared(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
        return float(((one - other) ** 2).sum())

    def reach(rows: FloatArray) -> list[float]:
        return [
            sorted(squared(rows[i], rows[j]) for j in range(len(rows)) if j != i)[k - 1]
            for i in range(len(rows))
        ]

    of_real, of_fake = reach(real_ND), reach(fake_MD)
    balls = [sum(squared(x, y) <= r for x, r in zip(real_ND, of_real, strict=True)) for y in fake_MD]
    recall = [any(squared(x, y) <= r for y, r in zip(fake_MD, of_fake, strict=True)) for x in real_ND]
    coverage = [min(squared(x, y) for y in fake_MD) <= r for x, r in zip(real_ND, of_real, strict=True)]
    return [
        [float(n > 0) for n in balls],
        [n / k for n in balls],
        list(map(float, recall)),
        list(map(float, coverage)),
    ]


@pytest.fixture(params=[3, 512], ids="chunk{}".format)
def _chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", request.param)


@pytest.mark.usefixtures("_chunks")
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(
    ("real", "fake", "width", "shift"), [(20, 13, 4, 0.0), (9, 31, 2, 1.0), (40, 40, 16, 0.3)]
)
def test_each_picture_counts_as_the_definitions_say(
    real: int, fake: int, width: int, shift: float, k: int
) -> None:
    real_ND, fake_MD = features(real, width, 0, 100.0), features(fake, width, 1, 100.0 + shift)
    expected = slow_prdc(real_ND.double().numpy(), fake_MD.double().numpy(), k)
    assert [values.tolist() for values in prdc(real_ND, fake_MD, k)] == expected


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("scale", [1.0, 0.1, 1e3 / 3])
def test_points_on_the_edge_of_a_ball_are_inside_however_they_are_rounded(k: int, scale: float) -> None:
    # On a grid most distances are equal to others.
    dice = torch.Generator().manual_seed(k)
    real_ND, fake_MD = torch.randint(5, (30, 3), generator=dice), torch.randint(5, (30, 3), generator=dice)
    expected = slow_prdc(real_ND.double().numpy(), fake_MD.double().numpy(), k)
    found = prdc(real_ND.double() * scale + 7.0, fake_MD.double() * scale + 7.0, k)
    assert [values.tolist() for values in found] == expected


def test_distances_held_at_a_time_do_not_grow_with_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    squared = module._squared

    def counted(*parts: Tensor) -> tuple[Tensor, Tensor]:
        found = squared(*parts)
        held.append(found[0].numel())
        return found

    real_ND, fake_MD = features(90, 8, 0), features(120, 8, 1)
    expected = prdc(real_ND, fake_MD)
    monkeypatch.setattr(module, "_squared", counted)
    monkeypatch.setattr(module, "_PAIRS", 600)
    found = prdc(real_ND, fake_MD)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert max(held) <= 600


def test_the_reals_themselves_are_precise_and_cover_all() -> None:
    real_ND = features(200, 32, 0)
    found = prdc(real_ND, real_ND)
    assert found.precision_M.mean() == found.recall_N.mean() == found.coverage_N.mean() == 1
    assert found.density_M.mean() == pytest.approx(6 / 5)  # the five that reach to it, and its own


def test_pictures_that_are_all_one_are_precise_and_cover_little() -> None:
    real_ND = features(200, 8, 0)
    found = prdc(real_ND, real_ND[:1].expand(50, -1))
    assert found.precision_M.mean() == 1
    assert found.recall_N.sum() == 1
    assert found.coverage_N.mean() < 0.2


def test_pictures_far_from_the_reals_are_neither() -> None:
    found = prdc(features(50, 8, 0), features(50, 8, 1, 100.0))
    assert [float(values.sum()) for values in found] == [0, 0, 0, 0]


@pytest.mark.parametrize(("real", "fake"), [(5, 9), (9, 5)])
def test_too_few_pictures_for_a_neighbour_are_refused(real: int, fake: int) -> None:
    with pytest.raises(InputError, match=rf"^{real} real and {fake} generated pictures are too few .* k = 5"):
        prdc(features(real, 2, 0), features(fake, 2, 1), 5)


@pytest.mark.parametrize(("side", "of"), [(0, "real"), (1, "generated")])
def test_features_that_are_not_finite_are_refused(side: int, of: str) -> None:
    pair = [features(9, 2, 0), features(9, 2, 1)]
    pair[side][3, 1] = float("nan")
    with pytest.raises(DivergedError, match=f"features of {of} pictures"):
        prdc(*pair)
