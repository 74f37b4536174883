from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from drawing import tiny_judge
from sound2scene import images
from sound2scene.control.views import VIEWS, Eye, view
from sound2scene.types import InputError


def picture(side: int) -> Image.Image:
    """A smooth picture with seeded colours."""
    pixels_HWC = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(pixels_HWC).resize((side, side), Image.Resampling.BICUBIC)


def as_drawn(image: Image.Image) -> torch.Tensor:
    return images.to_model(torch.from_numpy(np.array(image)).permute(2, 0, 1)[None])


@pytest.mark.parametrize("side", [32, 64, 300])
@pytest.mark.parametrize("name", sorted(VIEWS))
def test_a_view_shows_what_the_preset_makes_of_a_file_but_for_its_rounding(name: str, side: int) -> None:
    image = picture(side)
    expected_CHW, found_CHW = images.preset(name)(image), view(name)(as_drawn(image))[0]
    one_step = 1 / 255 / min(images.STD)
    assert found_CHW.shape == expected_CHW.shape
    assert (found_CHW - expected_CHW).abs().max() < 1.5 * one_step


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_gradient_reaches_every_pixel_through_a_view(name: str) -> None:
    image_BCHW = as_drawn(picture(32)).requires_grad_()
    view(name)(image_BCHW).square().sum().backward()
    assert image_BCHW.grad is not None
    assert bool((image_BCHW.grad != 0).all())


def test_every_preset_of_an_image_encoder_has_a_view() -> None:
    assert {name for name in images.PRESETS if not name.startswith("pixels")} == set(VIEWS)


@pytest.mark.parametrize("name", ["pixels64", "nothing"])
def test_a_preset_without_gradient_is_named(name: str) -> None:
    with pytest.raises(InputError, match=f"'{name}' lets no gradient pass; choose one of squeeze"):
        view(name)


def test_an_eye_sees_in_a_drawn_picture_what_the_encoder_sees_in_its_file(tiny_image_encoder: Path) -> None:
    from sound2scene import artifacts

    image = picture(64)
    found_D = Eye(str(tiny_image_encoder), torch.device("cpu"))(as_drawn(image))[0]
    network = artifacts.load(tiny_image_encoder)
    expected_D = network(images.preset("small64")(image)[None])[0]
    assert torch.cosine_similarity(found_D, expected_D, dim=0) > 0.999


def test_a_network_that_is_no_image_encoder_is_named(tmp_path: Path) -> None:
    folder = tiny_judge(tmp_path / "judge")
    with pytest.raises(InputError, match="'pixels32' lets no gradient pass"):
        Eye(str(folder), torch.device("cpu"))
