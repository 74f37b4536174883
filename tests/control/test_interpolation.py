import pytest
import torch
from torch.nn.functional import normalize

from sound2scene.control.interpolation import along, noise_along, positions
from sound2scene.latent import Course
from sound2scene.types import InputError


def test_steps_are_even_and_stations_stand_once() -> None:
    assert positions(2, 5) == [0, 0.25, 0.5, 0.75, 1]
    assert positions(3, 3) == [0, 0.5, 1, 1.5, 2]
    assert positions(1, 3) == [0, 0, 0]


@pytest.mark.parametrize("course", ["linear", "spherical"])
def test_stations_come_back_bit_for_bit_and_all_between_has_unit_length(course: Course) -> None:
    station_SD = list(normalize(torch.rand(4, 16), dim=1))
    way = list(along(station_SD, 5, course))
    assert [place for place, _ in way] == positions(4, 5)
    for number, z_D in enumerate(station_SD):
        assert torch.equal(way[4 * number][1], z_D)
    lengths = torch.stack([z_D.norm() for _, z_D in way])
    torch.testing.assert_close(lengths, torch.ones(13))


def test_noise_goes_from_each_draw_to_the_next() -> None:
    noise_JZ = torch.randn(3, 8)
    way = list(noise_along(noise_JZ, 5))
    assert torch.equal(way[0], noise_JZ[:2])
    assert torch.equal(way[-1], noise_JZ[1:])
    torch.testing.assert_close(way[2], (noise_JZ[:2] + noise_JZ[1:]) / 2**0.5)


def test_a_way_without_stations_or_steps_is_refused() -> None:
    with pytest.raises(InputError, match="no stations"):
        list(along([], 3))
    with pytest.raises(InputError, match=r"interpolate\.steps is 1"):
        positions(2, 1)
