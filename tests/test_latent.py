import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from sound2scene.latent import (
    Course,
    between,
    draw_pictures,
    noise,
    noise_between,
    noise_rows,
    seed_of_clip,
    uniform_rows,
)
from sound2scene.types import InputError

FIRST, SECOND = [-0.069112, -0.147313, -0.000245], [0.360775, -2.198392, 1.102469]


class Generator(nn.Module):
    """Keeps what it was given and draws the latent along the rows."""

    z_dim = 6

    def forward(self, noise_BZ: Tensor, z_BD: Tensor) -> Tensor:
        self.noise_BZ, self.z_BD = noise_BZ, z_BD
        return z_BD[:, None, None, :].expand(-1, 3, z_BD.shape[1], -1).half()


def many(truncation: float = 1.0) -> Tensor:
    return torch.stack([noise(seed, draw, 100, truncation) for seed in range(20) for draw in range(10)])


def test_noise_is_a_function_of_seed_and_draw_alone() -> None:
    torch.manual_seed(1)
    first = noise(3, 2, 16)
    torch.manual_seed(2)
    noise(3, 1, 16)
    assert torch.equal(noise(3, 2, 16), first)
    assert first.shape == (16,)
    assert first.dtype == torch.float32
    assert len({noise(seed, draw, 8)[0].item() for seed in range(30) for draw in range(30)}) == 900


def test_asking_for_noise_leaves_all_other_draws_alone() -> None:
    before = torch.get_rng_state()
    noise(3, 2, 16, 0.5)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_law_is_the_same_for_ever() -> None:
    # These digits stand for every picture that was ever drawn; a change says so in CHANGELOG under Numbers.
    assert noise(0, 0, 3).tolist() == pytest.approx(FIRST, abs=1e-6)
    assert noise(0, 1, 3).tolist() == pytest.approx(SECOND, abs=1e-6)
    assert seed_of_clip(0, "clip") == 8_832_461_711_676_121_349


def test_plain_noise_is_standard_normal_with_its_tails() -> None:
    plain = many()
    assert abs(float(plain.mean())) < 0.03
    assert float(plain.std()) == pytest.approx(1, abs=0.02)
    assert float((plain.abs() > 2).float().mean()) == pytest.approx(0.0455, abs=0.006)
    correlation_RR = torch.corrcoef(plain)
    assert float((correlation_RR - torch.eye(len(plain))).abs().max()) < 0.5


@pytest.mark.parametrize("truncation", [0.0, 0.5, 0.99])
def test_truncated_noise_ends_at_twice_the_truncation_and_is_not_piled_up_there(truncation: float) -> None:
    cut = many(truncation)
    assert float(cut.abs().max()) <= 2 * truncation
    # standard deviation of a normal variable that is cut at two: 0.8796
    assert float(cut.std()) == pytest.approx(0.8796 * truncation, abs=0.01)


def test_truncation_keeps_the_values_that_lie_inside_of_it() -> None:
    plain, cut = many(), many(0.5)
    inside = plain.abs() <= 2
    assert torch.equal(cut[inside], plain[inside] * 0.5)


@pytest.mark.parametrize("truncation", [-0.1, 1.1, float("nan")])
def test_a_truncation_out_of_range_is_refused(truncation: float) -> None:
    with pytest.raises(InputError, match=r"truncation is .*; choose one between 0 and 1"):
        noise(0, 0, 4, truncation)


def test_a_row_of_noise_belongs_to_its_own_seed_and_draw() -> None:
    rows_BZ = noise_rows(Generator(), [5, 5, 9], [0, 1, 1], 0.7)
    expected = [noise(seed, draw, 6, 0.7) for seed, draw in ((5, 0), (5, 1), (9, 1))]
    assert torch.equal(rows_BZ, torch.stack(expected))
    assert noise_rows(Generator(), [], []).shape == (0, 6)
    with pytest.raises(ValueError, match="zip"):
        noise_rows(Generator(), [1, 2], [0])


def test_a_row_of_uniform_numbers_belongs_to_its_own_seed_and_draw() -> None:
    rows = uniform_rows([3, 4, 3], [0, 0, 1], 500)
    assert rows.shape == (3, 500)
    assert 0 <= float(rows.min()) < 0.1
    assert 0.9 < float(rows.max()) < 1
    assert torch.equal(uniform_rows([3, 4], [1, 0], 500), rows[[2, 1]])
    assert len({row[0].item() for row in rows}) == 3
    assert uniform_rows([], [], 5).shape == (0, 5)


def test_a_generator_that_does_not_say_how_much_noise_it_wants_is_refused() -> None:
    with pytest.raises(InputError, match="Linear has no whole number 'z_dim'"):
        noise_rows(nn.Linear(1, 1), [0], [0])


def test_clips_of_a_split_have_seeds_of_their_own_that_follow_from_seed_and_name() -> None:
    names = [f"clip-{number}" for number in range(300)]
    seeds = {seed_of_clip(seed, name) for seed in range(3) for name in names}
    assert len(seeds) == 900
    assert seed_of_clip(1, "clip-7") == seed_of_clip(1, "clip-7")


def test_pictures_are_drawn_of_latents_at_unit_length_with_the_noise_as_it_is() -> None:
    generator, z_BD = Generator(), torch.tensor([[3.0, 4.0], [0.0, 0.1]], dtype=torch.float64)
    drawn_BCHW = draw_pictures(generator, z_BD, torch.full((2, 6), 7.0))
    assert torch.allclose(generator.z_BD, torch.tensor([[0.6, 0.8], [0.0, 1.0]]))
    assert generator.z_BD.dtype == torch.float32
    assert torch.equal(generator.noise_BZ, torch.full((2, 6), 7.0))
    assert drawn_BCHW.dtype == torch.float32
    assert drawn_BCHW.shape == (2, 3, 2, 2)


def test_the_noise_follows_the_latents_to_their_device() -> None:
    generator = Generator()
    draw_pictures(generator, torch.ones(2, 4, device="meta"), torch.ones(2, 6))
    assert generator.noise_BZ.device.type == "meta"


def angle(first_D: Tensor, second_D: Tensor) -> float:
    return float(torch.acos((first_D @ second_D).clamp(-1, 1)))


@pytest.mark.parametrize("course", ["linear", "spherical"])
def test_a_latent_between_two_lies_on_their_circle_at_unit_length_and_ends_are_exact(course: Course) -> None:
    first_D, second_D = torch.rand(16, dtype=torch.float64), 3 * torch.rand(16, dtype=torch.float64)
    assert between(first_D, second_D, 0, course) is first_D
    assert between(first_D, second_D, 1, course) is second_D
    unit = normalize(first_D, dim=0), normalize(second_D, dim=0)
    for share in (0.2, 0.5, 0.9):
        z_D = between(first_D, second_D, share, course)
        assert float(z_D.norm()) == pytest.approx(1)
        parts = angle(unit[0], z_D), angle(z_D, unit[1])
        assert sum(parts) == pytest.approx(angle(*unit))
        if course == "spherical":
            assert parts[0] == pytest.approx(share * angle(*unit))
        else:
            torch.testing.assert_close(z_D, normalize((1 - share) * unit[0] + share * unit[1], dim=0))


def test_between_two_equal_latents_stands_the_same_and_between_opposite_ones_none() -> None:
    z_D = normalize(torch.rand(16), dim=0)
    torch.testing.assert_close(between(z_D, z_D, 0.3, "spherical"), z_D)
    with pytest.raises(InputError, match="opposite directions"):
        between(z_D, -z_D, 0.5)


def test_noise_between_two_draws_is_standard_normal_and_ends_are_exact() -> None:
    first_Z, second_Z = noise(0, 0, 40_000), noise(0, 1, 40_000)
    assert noise_between(first_Z, second_Z, 0) is first_Z
    assert noise_between(first_Z, second_Z, 1) is second_Z
    for share in (0.25, 0.5):
        assert float(noise_between(first_Z, second_Z, share).std()) == pytest.approx(1, abs=0.02)
