import pytest
import torch

from sound2scene.metrics.probe import probe_r2


def features(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Features that hold one quantity as it is, one folded up, and nothing of a third."""
    dice = torch.Generator().manual_seed(seed)
    true_N3 = torch.rand(count, 3, generator=dice) * 2 - 1
    noise_N6 = torch.randn(count, 6, generator=dice)
    feature_ND = torch.cat([true_N3[:, :1], true_N3[:, 1:2].abs(), noise_N6], dim=1)
    folded_N3 = torch.stack([true_N3[:, 0], true_N3[:, 1] ** 2, true_N3[:, 2]], dim=1)
    return feature_ND, folded_N3


def test_a_probe_finds_what_features_hold_straight_or_bent_and_nothing_that_they_lack() -> None:
    straight, bent, lacking = probe_r2(*features(600, 0), *features(200, 1))
    assert straight > 0.97
    assert bent > 0.9
    assert lacking < 0.1


@pytest.mark.costly
def test_the_same_seed_gives_the_same_figures() -> None:
    given = (*features(100, 0), *features(50, 1))
    assert probe_r2(*given) == probe_r2(*given)


def test_one_quantity_is_one_figure() -> None:
    (feature_ND, true_NM), (held_ND, held_NM) = features(200, 0), features(50, 1)
    assert probe_r2(feature_ND, true_NM[:, :1], held_ND, held_NM[:, :1]) == [pytest.approx(1, abs=0.1)]
