import math

import pytest
import torch

from sound2scene.control.likeness import Likeness, likeness


def pixels(seed: int) -> torch.Tensor:
    dice = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (2, 3, 16, 16), generator=dice, dtype=torch.uint8)


def test_measures_of_a_picture_with_itself_are_those_of_no_difference() -> None:
    z_BD = torch.rand(2, 4)
    for one in likeness(pixels(0), pixels(0), z_BD, z_BD):
        assert one == pytest.approx(Likeness(100.0, 1.0, 1.0), abs=1e-4)


def test_psnr_and_cosine_are_those_of_their_formulas() -> None:
    first, other = pixels(0), pixels(1)
    z_BD = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    found = likeness(first, other, z_BD, torch.tensor([[0.0, 2.0], [4.0, 3.0]]))
    for row in range(2):
        error = ((first[row].double() - other[row].double()) ** 2).mean().item()
        assert found[row].psnr_db == pytest.approx(10 * math.log10(255**2 / error), abs=1e-3)
    assert [one.feature_cosine for one in found] == pytest.approx([0.0, 0.96])
    assert all(-1 <= one.ssim < 0.2 for one in found)


def test_the_words_over_a_picture_are_short() -> None:
    assert Likeness(21.04, 0.512, 0.987).words() == "21.0 dB, SSIM 0.51, cos 0.99"
