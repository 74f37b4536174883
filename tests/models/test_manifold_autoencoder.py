from pathlib import Path

import pytest
import torch

from manifolds import save_autoencoder, tiny_autoencoder
from sound2scene import artifacts
from sound2scene.models.manifold_autoencoder import FrozenAutoencoder, ManifoldAutoencoder
from sound2scene.types import InputError
from tiny import tiny_encoder


def pixels(count: int = 3, side: int = 32) -> torch.Tensor:
    dice = torch.Generator().manual_seed(count)
    return torch.randint(256, (count, 3, side, side), dtype=torch.uint8, generator=dice)


@pytest.mark.parametrize(("grid", "parameters"), [(32, 1_043_785), (16, 1_568_329), (8, 2_092_873)])
def test_the_defaults_have_the_published_number_of_parameters(grid: int, parameters: int) -> None:
    with torch.device("meta"):
        network = ManifoldAutoencoder(grid=grid)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize(("side", "grid"), [(16, 4), (32, 8), (32, 4), (64, 4)])
def test_maps_have_the_grid_and_pictures_come_back_in_their_size(side: int, grid: int) -> None:
    network = tiny_autoencoder(side=side, grid=grid).eval()
    made = network(pixels(2, side))
    assert made.image_BCHW.shape == (2, 3, side, side)
    assert made.z_BDHW.shape == made.code_BDHW.shape == (2, 4, grid, grid)
    assert made.number_BHW.shape == (2, grid, grid)


def test_each_place_gets_the_nearest_code_by_plain_loops() -> None:
    network = tiny_autoencoder().eval()
    made = network(pixels())
    book = network.codebook_KD.detach().double().tolist()
    place_ND = made.z_BDHW.detach().double().permute(0, 2, 3, 1).flatten(0, 2).tolist()
    found = made.number_BHW.flatten().tolist()
    assert len(set(found)) > 2
    for place, number in zip(place_ND, found, strict=True):
        distances = [sum((x - y) ** 2 for x, y in zip(place, code, strict=True)) for code in book]
        assert distances[number] == pytest.approx(min(distances), rel=1e-5)
    codes_ND = made.code_BDHW.detach().permute(0, 2, 3, 1).flatten(0, 2)
    assert torch.equal(codes_ND, network.codebook_KD.detach()[made.number_BHW.flatten()])


def test_of_equal_codes_the_first_is_taken() -> None:
    network = tiny_autoencoder()
    with torch.no_grad():
        network.codebook_KD.fill_(1.0)
    assert not network.nearest(torch.randn(1, 4, 2, 2)).any()


def test_gradients_of_the_picture_pass_the_codes_straight_through() -> None:
    network = tiny_autoencoder().eval()
    made = network(pixels())
    code_BDHW = made.code_BDHW.detach().requires_grad_()
    weight_BCHW = torch.randn_like(made.image_BCHW)
    (expected_BDHW,) = torch.autograd.grad((network.decoder(code_BDHW) * weight_BCHW).sum(), code_BDHW)
    made.z_BDHW.retain_grad()
    (made.image_BCHW * weight_BCHW).sum().backward()
    torch.testing.assert_close(made.z_BDHW.grad, expected_BDHW)
    assert expected_BDHW.any()
    assert network.codebook_KD.grad is None  # which learns from its own loss alone
    assert all(weight.grad is not None for weight in network.encoder.parameters())


def test_a_picture_is_that_of_the_nearest_codes_in_the_models_range() -> None:
    network = tiny_autoencoder().eval()
    made = network(pixels())
    expected_BCHW = (made.image_BCHW.detach() * 2 - 1).clamp(-1, 1)
    torch.testing.assert_close(network.picture(made.z_BDHW.detach()), expected_BCHW)
    torch.testing.assert_close(network.picture(made.code_BDHW.detach()), expected_BCHW)
    assert network.picture(100 * torch.randn(1, 4, 8, 8)).abs().max() <= 1


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"side": 32, "grid": 16}, r"^autoencoder\.side is 32 and autoencoder\.grid 16; make the side 4, 8"),
        ({"side": 48, "grid": 8}, r"^autoencoder\.side is 48 and autoencoder\.grid 8; make the side 4, 8"),
        ({"side": 8, "grid": 32}, r"^autoencoder\.side is 8 and autoencoder\.grid 32; make the side 4, 8"),
        ({"width": 7}, r"^autoencoder\.width is 7; set it to an even number$"),
        ({"codes": 0}, r"^autoencoder\.codes is 0; set it to between 1 and 65536$"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_by_name(sizes: dict[str, int], told: str) -> None:
    with pytest.raises(InputError, match=told):
        tiny_autoencoder(**sizes)


def test_pictures_of_another_size_are_told_the_preset() -> None:
    told = r"^the autoencoder takes pictures \(3, 32, 32\), not \(3, 64, 64\); set data\.\S+ to pixels32$"
    with pytest.raises(InputError, match=told):
        tiny_autoencoder().encode(pixels(1, 64))


def test_it_comes_back_from_its_artifact_frozen_and_in_evaluation(tmp_path: Path) -> None:
    folder = save_autoencoder(tmp_path / "autoencoder")
    frozen = FrozenAutoencoder(folder)
    assert (frozen.folder, frozen.preset) == (str(folder), "pixels32")
    assert frozen.fingerprint == artifacts.fingerprint(tiny_autoencoder())
    assert not frozen.network.training
    assert not any(parameter.requires_grad for parameter in frozen.network.parameters())
    saved = tiny_autoencoder().eval().to(memory_format=torch.channels_last)  # as artifacts are loaded
    assert torch.equal(frozen.network.encode(pixels()), saved.encode(pixels()))


def test_an_artifact_of_another_kind_or_other_maps_is_refused(tmp_path: Path) -> None:
    other = FrozenAutoencoder(tiny_encoder(tmp_path / "encoder"))
    with pytest.raises(InputError, match=r"encoder: holds a network of kind 'image-encoder', not"):
        _ = other.network
    frozen = FrozenAutoencoder(save_autoencoder(tmp_path / "autoencoder"))
    frozen.check_map(8, 4)
    told = (
        r"autoencoder: its maps have grid 8 and code_dim 4, the audio network's 8 and 5; make them the same$"
    )
    with pytest.raises(InputError, match=told):
        frozen.check_map(8, 5)
