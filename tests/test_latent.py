import pytest
import torch
from torch import Tensor, nn

from sound2scene.latent import draw_pictures, noise, noise_rows, seed_of_clip
from sound2scene.types import InputError


class Echo(nn.Module):
    """A generator whose picture is made of what it is given: three channels of noise beside the latent."""

    z_dim = 2

    def forward(self, z_BZ: Tensor, z_image_BD: Tensor) -> Tensor:
        return torch.cat([z_BZ, z_image_BD], 1)[:, None, None].expand(-1, 3, 1, -1).bfloat16()


def many(truncation: float = 1.0) -> Tensor:
    return torch.stack([noise(seed, draw, 100, truncation) for seed in range(50) for draw in range(4)])


def test_noise_follows_from_seed_and_draw_alone() -> None:
    torch.manual_seed(0)
    first = noise(3, 1, 16)
    assert torch.equal(noise(3, 1, 16), first)
    assert not torch.equal(noise(3, 0, 16), first)
    assert not torch.equal(noise(1, 3, 16), first)
    assert len(torch.unique(many()[:, 0])) == 200


def test_plain_noise_is_standard_normal_with_its_tails() -> None:
    plain = many()
    assert abs(float(plain.mean())) < 0.03
    assert float(plain.std()) == pytest.approx(1, abs=0.02)
    assert float((plain.abs() > 2).float().mean()) == pytest.approx(0.0455, abs=0.006)


@pytest.mark.parametrize("truncation", [0.0, 0.5, 0.99])
def test_truncated_noise_ends_at_twice_the_truncation_and_is_not_piled_up_there(truncation: float) -> None:
    cut = many(truncation)
    assert float(cut.abs().max()) <= 2 * truncation
    # A normal variable that is cut at two has the standard deviation 0.8796.
    assert float(cut.std()) == pytest.approx(0.8796 * truncation, abs=0.01)


@pytest.mark.parametrize("truncation", [-0.1, 1.1, float("nan")])
def test_a_truncation_out_of_range_is_refused(truncation: float) -> None:
    with pytest.raises(InputError, match=r"truncation is .*; choose one between 0 and 1"):
        noise(0, 0, 4, truncation)


def test_a_clip_has_a_seed_of_its_own_that_follows_from_its_key() -> None:
    seeds = [seed_of_clip(seed, key) for seed in (0, 1) for key in ("bell-001", "bell-002", "001-bell")]
    assert len(set(seeds)) == 6
    assert seed_of_clip(0, "bell-001") == seeds[0]


def test_rows_of_noise_have_the_generators_width_and_follow_their_seeds_and_draws() -> None:
    rows = noise_rows(Echo(), [5, 6, 5], [0, 0, 1], truncation=0.5)
    expected = [noise(5, 0, 2, 0.5), noise(6, 0, 2, 0.5), noise(5, 1, 2, 0.5)]
    assert torch.equal(rows, torch.stack(expected))
    assert noise_rows(Echo(), [], []).numel() == 0


def test_a_generator_sees_noise_as_it_is_and_latents_at_unit_length() -> None:
    picture = draw_pictures(Echo(), torch.tensor([[0.0, 3.0, 4.0]]), torch.tensor([[-2.0, 0.5]]))
    assert picture.dtype == torch.float32
    assert picture[0, 0, 0].tolist() == pytest.approx([-2, 0.5, 0, 0.6, 0.8], abs=4e-3)
