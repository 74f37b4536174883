import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from parity_fill import filled, input_tensor, relative_error
from sound2scene.models.biggan import Generator
from sound2scene.models.discriminator import Discriminator
from sound2scene.types import InputError

WIDTH = {128: 96, 64: 64}
ATTENTION = {128: [64], 64: [32]}


def test_names_and_shapes_are_the_published_ones(parity: Path) -> None:
    shapes = json.loads((parity / "state_dict_keys.json").read_text())["d128"]
    with torch.device("meta"):
        own = {name: list(tensor.shape) for name, tensor in Discriminator().state_dict().items()}
    assert own == shapes


@pytest.mark.costly
@torch.no_grad()
@pytest.mark.parametrize("side", [pytest.param(128, marks=pytest.mark.slow), 64])
def test_scores_equal_the_published_ones(parity: Path, side: int) -> None:
    arrays = np.load(parity / "public.npz")
    z_image_BD = normalize(input_tensor(f"h_{side}", (2, 2048)).abs(), dim=1)
    generator = filled(lambda: Generator(side, WIDTH[side], ATTENTION[side]))
    drawn_BCHW = generator(input_tensor(f"z_{side}", (2, 120)), z_image_BD)
    noise_BCHW = input_tensor(f"d_{side}", (2, 3, side, side)).clamp(-1, 1)
    network = filled(lambda: Discriminator(side, WIDTH[side], ATTENTION[side]))
    for name, image_BCHW in {"generated": drawn_BCHW, "noise": noise_BCHW}.items():
        score_B = network(image_BCHW, z_image_BD)
        assert relative_error(score_B[:, None], arrays[f"icgan_d{side}/score_of_{name}"]) < 1e-4, name


@pytest.mark.parametrize("side", [32, 64])
def test_the_score_depends_on_the_picture_and_on_the_feature(side: int) -> None:
    torch.manual_seed(0)
    network = Discriminator(side, 4, [], 5).eval()
    image, h = torch.rand(2, 3, side, side) * 2 - 1, normalize(torch.rand(2, 5), dim=1)
    score = network(image, h)
    assert score.shape == (2,)
    assert not torch.allclose(network(image.flip(0), h), score, atol=1e-6)
    assert not torch.allclose(network(image, h.flip(0)), score, atol=1e-6)


def test_what_cannot_be_built_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="resolution is 100; choose one of"):
        Discriminator(100)
    with pytest.raises(InputError, match="attention names 128"):
        Discriminator(128, attention=[128])
