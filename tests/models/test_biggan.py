import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import adaptive_avg_pool2d, normalize

from parity_fill import filled, input_tensor, relative_error
from sound2scene.models.biggan import Generator
from sound2scene.types import InputError

WIDTH = {128: 96, 64: 64}
ATTENTION = {128: [64], 64: [32]}


@pytest.fixture(scope="module", params=[pytest.param(128, marks=pytest.mark.slow), 64])
def generator(request: pytest.FixtureRequest, parity: Path) -> Generator:
    resolution = request.param
    return filled(lambda: Generator(resolution, WIDTH[resolution], ATTENTION[resolution]))


def test_names_and_shapes_are_the_published_ones(parity: Path) -> None:
    shapes = json.loads((parity / "state_dict_keys.json").read_text())["g128"]
    with torch.device("meta"):
        own = {name: list(tensor.shape) for name, tensor in Generator().state_dict().items()}
    assert own == {name: shape for name, shape in shapes.items() if name != "shared.weight"}
    assert shapes.keys() - own.keys() == {"shared.weight"}


@pytest.mark.costly
@torch.no_grad()
@pytest.mark.parametrize("folded", [False, True])
def test_pictures_equal_the_published_ones(parity: Path, generator: Generator, folded: bool) -> None:
    side, arrays = generator.resolution, np.load(parity / "public.npz")
    network = generator.folded() if folded else generator
    z_image_BD = normalize(input_tensor(f"h_{side}", (2, 2048)).abs(), dim=1)
    image_BCHW = network(input_tensor(f"z_{side}", (2, 120)), z_image_BD)
    found = {
        "image_8x8_mean": adaptive_avg_pool2d(image_BCHW, 8),
        f"image_row{side // 2}": image_BCHW[:, :, side // 2],
        "image_std": image_BCHW.flatten(1).std(1),
    }
    for name, value in found.items():
        assert relative_error(value, arrays[f"icgan_g{side}/{name}"]) < 1e-4, name


def small(**changes: object) -> Generator:
    torch.manual_seed(0)
    given = {"resolution": 32, "channels": 4, "attention": [], "z_dim": 9, "feature_dim": 6, "z_image_dim": 5}
    return Generator(**(given | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("resolution", [32, 64])
@pytest.mark.parametrize("feature_at_start", [False, True])
def test_pictures_are_in_range_and_depend_on_every_chunk_of_noise_and_on_the_feature(
    resolution: int, feature_at_start: bool
) -> None:
    network = small(resolution=resolution, feature_at_start=feature_at_start).eval()
    z, h = torch.randn(1, network.z_dim), normalize(torch.rand(1, 5), dim=1)
    picture = network(z, h)
    assert picture.shape == (1, 3, resolution, resolution)
    assert picture.abs().max() <= 1
    for place in range(network.z_dim):
        other = z.clone()
        other[0, place] += 1
        assert not torch.allclose(network(other, h), picture, atol=1e-5), place
    assert not torch.allclose(network(z, h.flip(1)), picture, atol=1e-5)


def test_with_the_feature_at_the_start_it_reaches_the_first_layer_beside_the_noise() -> None:
    z, h = torch.randn(2, 8), normalize(torch.rand(2, 5), dim=1)
    for at_start, width in ((False, 2), (True, 8)):
        network, seen = small(feature_at_start=at_start).eval(), []
        network.linear.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        network(z, h)
        assert seen[0].shape == (2, width)
        assert torch.equal(seen[0][:, :2], z[:, :2])
        assert torch.equal(seen[0][:, 2:], network.shared_feat(h)[:, : width - 2])


def test_noise_is_rounded_down_to_equal_chunks_and_the_card_builds_the_network_again() -> None:
    network = small(z_dim=9)
    assert network.z_dim == 8
    again = Generator(**network.arguments)
    assert {n: t.shape for n, t in again.state_dict().items()} == {
        n: t.shape for n, t in network.state_dict().items()
    }


def test_bf16_draws_nearly_the_same_in_float32() -> None:
    network = small().eval()
    z, h = torch.randn(2, network.z_dim), normalize(torch.rand(2, 5), dim=1)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(z, h)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, network(z, h), rtol=0, atol=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 48}, "resolution is 48; choose one of 32, 64"),
        ({"attention": [64]}, "attention names 64, which no block gives"),
        ({"z_dim": 2}, "z_dim is 2, too few for 4 chunks"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_line(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(**change)
