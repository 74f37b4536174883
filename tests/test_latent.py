import pytest
import torch

from sound2scene.latent import noise, noise_of_clips
from sound2scene.types import InputError


def test_a_row_follows_from_its_own_seed_alone() -> None:
    whole = noise([3, 1, 2], 16)
    assert torch.equal(noise([1], 16)[0], whole[1])
    assert torch.equal(noise([2, 3], 16), whole[[2, 0]])
    assert not torch.equal(whole[0], whole[1])
    assert noise([], 16).shape == (0, 16)


def test_plain_noise_is_standard_normal_with_its_tails() -> None:
    plain = noise(range(200), 100)
    assert abs(float(plain.mean())) < 0.03
    assert float(plain.std()) == pytest.approx(1, abs=0.02)
    assert float((plain.abs() > 2).float().mean()) == pytest.approx(0.0455, abs=0.006)


@pytest.mark.parametrize("truncation", [0.0, 0.5, 0.99])
def test_truncated_noise_ends_at_twice_the_truncation_and_is_not_piled_up_there(truncation: float) -> None:
    cut = noise(range(200), 100, truncation)
    assert float(cut.abs().max()) <= 2 * truncation
    # standard deviation of a normal variable that is cut at two: 0.8796
    assert float(cut.std()) == pytest.approx(0.8796 * truncation, abs=0.01)


@pytest.mark.parametrize("truncation", [-0.1, 1.1, float("nan")])
def test_a_truncation_out_of_range_is_refused(truncation: float) -> None:
    with pytest.raises(InputError, match=r"truncation is .*; choose one between 0 and 1"):
        noise([0], 4, truncation)


def test_noise_of_clips_follows_from_index_and_draw() -> None:
    first = noise_of_clips(torch.tensor([5, 6]), 8)
    assert torch.equal(noise_of_clips(torch.tensor([6]), 8)[0], first[1])
    assert not torch.equal(noise_of_clips(torch.tensor([5, 6]), 8, draw=1), first)
    many = torch.cat([noise_of_clips(torch.arange(300), 8, draw) for draw in range(4)])
    assert len(torch.unique(many[:, 0])) == 1200
