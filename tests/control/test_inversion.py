from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from drawing import tiny_generator
from sound2scene import images
from sound2scene.control.inversion import Inverter
from sound2scene.control.search import Effort
from sound2scene.methods.sound2scene import FrozenGenerator
from sound2scene.types import InputError
from tiny import tiny_encoder

EFFORT = Effort(steps=4, starts=2, candidates=2)


@pytest.fixture(scope="module")
def folders(tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    generator = tiny_generator(tmp_path_factory.mktemp("inversion") / "generator", tiny_image_encoder)
    return str(generator), str(tiny_image_encoder)


@pytest.fixture(scope="module")
def inverter(folders: tuple[str, str]) -> Inverter:
    return Inverter(*folders, "cpu")


def pixels(count: int = 3) -> torch.Tensor:
    dice = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, 32, 32), generator=dice, dtype=torch.uint8)


def test_pictures_are_drawn_as_the_method_draws_them_whatever_stands_beside_them(
    inverter: Inverter, folders: tuple[str, str]
) -> None:
    z_BD, noise_BZ = torch.rand(3, 8), torch.randn(3, 8)
    drawn = inverter.draw(z_BD, noise_BZ)
    assert torch.equal(drawn[1:2], inverter.draw(z_BD[1:2], noise_BZ[1:2]))
    drawing = FrozenGenerator(folders[0])
    from sound2scene.latent import noise

    expected = images.to_pixel(drawing.draw_many(z_BD[0], 1, 7))
    assert torch.equal(inverter.draw(z_BD[:1], noise(7, 0, 8)[None]), expected)


def test_pictures_of_one_call_and_of_several_come_out_alike(inverter: Inverter) -> None:
    together = inverter.invert(pixels(), EFFORT)
    alone = inverter.invert(pixels()[2:], EFFORT)
    torch.testing.assert_close(together.noise_BZ[2:], alone.noise_BZ, atol=1e-3, rtol=1e-3)


def test_a_picture_is_its_centred_square_as_the_generator_draws_it(inverter: Inverter) -> None:
    wide = np.zeros((64, 100, 3), np.uint8)
    wide[:, 18:82] = 200
    assert inverter.pixels(Image.fromarray(wide)).unique().tolist() == [200]


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_picture_of_one_colour_can_be_inverted(grey: int, inverter: Inverter) -> None:
    found = inverter.invert(torch.full((1, 3, 32, 32), grey, dtype=torch.uint8), EFFORT)
    assert all(bool(torch.isfinite(one).all()) for one in found)


@pytest.mark.parametrize(
    "wrong", [pixels().float(), pixels()[0], pixels()[..., :16]], ids=["floats", "one", "narrow"]
)
def test_pictures_of_another_shape_are_refused(wrong: torch.Tensor, inverter: Inverter) -> None:
    with pytest.raises(InputError, match=r"invert takes uint8 pictures \(B, 3, 32, 32\), not"):
        inverter.invert(wrong)


def test_a_picture_in_which_the_encoder_sees_nothing_is_named(
    inverter: Inverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inverter, "seen", lambda pixels_BCHW: torch.zeros(len(pixels_BCHW), 8))
    with pytest.raises(InputError, match="the image encoder sees nothing in picture 0; give another one"):
        inverter.invert(pixels(), EFFORT)


def test_a_generator_for_features_of_another_encoder_is_refused(
    folders: tuple[str, str], tmp_path: Path
) -> None:
    other = tiny_encoder(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match="take the pair that was trained together"):
        Inverter(folders[0], str(other), "cpu")
