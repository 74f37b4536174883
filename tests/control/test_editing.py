import math

import pytest
import torch
from torch.nn.functional import normalize

from sound2scene.control.editing import direction, edited
from sound2scene.types import InputError

Z = normalize(torch.rand(6, generator=torch.Generator().manual_seed(0)), dim=0)
WAY = torch.tensor([0.3, -0.2, 0.0, 0.1, 0.0, 0.0])


def test_strength_zero_gives_the_latent_to_the_last_bit() -> None:
    dice = torch.Generator().manual_seed(1)
    for z_D in normalize(
        torch.rand(50, 6, generator=dice), dim=1
    ):  # some change when they are normalised again
        assert torch.equal(edited(z_D, WAY, [-1.0, 0.0, -0.0])[1:], torch.stack([z_D, z_D]))


def test_latents_are_moved_along_the_way_and_have_unit_length() -> None:
    found = edited(Z, WAY, [-2.0, 0.5])
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))
    for row_D, strength in zip(found, (-2.0, 0.5), strict=True):
        torch.testing.assert_close(row_D, (Z + strength * WAY) / (Z + strength * WAY).norm())


def test_the_way_leads_from_the_second_to_the_first() -> None:
    torch.testing.assert_close(direction(Z + WAY, Z), WAY)


@pytest.mark.parametrize(
    ("strengths", "words"),
    [
        ([], "edit: no strength; give --strength some"),
        ([1.0, math.nan], "edit: a strength is nan; give finite ones"),
        ([math.inf], "edit: a strength is inf"),
        ([-1.0], "edit: at strength -1 nothing is left of the picture; give a smaller one"),
    ],
)
def test_strengths_that_lead_nowhere_are_named(strengths: list[float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        edited(Z, Z, strengths)


def test_two_sounds_that_are_heard_alike_are_refused() -> None:
    with pytest.raises(InputError, match="hears no difference between the two sounds"):
        direction(Z, Z + 1e-9)
