from pathlib import Path

import pytest
import torch
from torch import Tensor

from sound2scene import artifacts, images
from sound2scene.latent import seed_of_clip, uniform_rows
from sound2scene.methods.s2i import S2I
from sound2scene.protocols import Method
from sound2scene.types import CLIP_SAMPLES, InputError
from tiny_s2i import SIDE, audio_artifact, autoencoder, generator, generator_artifact

KEYS = ["a", "b", "c"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("s2i")
    audio = audio_artifact(folder / "audio")
    return audio, generator_artifact(folder / "generator", audio)


@pytest.fixture(scope="module")
def method(pair: tuple[Path, Path]) -> S2I:
    return S2I(*pair, device="cpu")


@pytest.fixture(scope="module")
def tones() -> Tensor:
    second_T = torch.arange(CLIP_SAMPLES) / 16_000
    found = [0.3 * torch.sin(2 * torch.pi * pitch_hz * second_T) for pitch_hz in (200, 900, 3000)]
    return torch.stack(found)


@pytest.fixture(scope="module")
def whole(method: S2I, tones: Tensor) -> Tensor:
    return method.pictures(tones, KEYS, 3, 5)


def test_it_is_a_method_whose_pictures_are_uint8(method: S2I, whole: Tensor) -> None:
    assert isinstance(method, Method)
    assert (whole.shape, whole.dtype, method.resolution) == ((3, 3, 3, SIDE, SIDE), torch.uint8, SIDE)


def test_a_picture_does_not_depend_on_the_sounds_beside_it_their_order_or_the_number_of_draws(
    method: S2I, tones: Tensor, whole: Tensor
) -> None:
    part = method.pictures(tones[[2, 0]], ["c", "a"], 2, 5)
    assert torch.equal(part, whole[[2, 0]][:, :2])
    many = torch.cat([tones] * 3)  # more than pass at once
    keys = [f"{key}{number}" for number in range(2) for key in "xyz"] + KEYS
    assert torch.equal(method.pictures(many, keys, 1, 5)[6:, 0], whole[:, 0])


def test_dropout_is_active_and_seeded_by_seed_key_and_draw(method: S2I, tones: Tensor, whole: Tensor) -> None:
    assert not torch.equal(whole[:, 0], whole[:, 1])
    others = [(["a"], 6), (["b"], 5)]
    for keys, seed in others:
        assert not torch.equal(method.pictures(tones[:1], keys, 3, seed)[0], whole[0])


@pytest.mark.costly
def test_what_is_drawn_is_the_generators_picture_of_the_embedding(tones: Tensor, whole: Tensor) -> None:
    network = generator()
    chance_BZ = uniform_rows([seed_of_clip(5, key) for key in KEYS], [2] * 3, network.dropout_dim)
    with torch.no_grad():
        drawn_BCHW = network(autoencoder().embed(tones), chance_BZ)
    difference = images.to_pixel(drawn_BCHW).int() - whole[:, 2].int()
    assert difference.abs().max() <= 1


@pytest.mark.costly
def test_networks_that_were_not_trained_together_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = autoencoder()
    with torch.no_grad():
        next(other.parameters()).add_(0.1)
    artifacts.save(other, tmp_path / "other", card={"kind": "s2i-audio", "preset": "log_mel"})
    told = r"generator: belongs to audio encoder \w{12}, not to \w{12}; take the pair that was"
    with pytest.raises(InputError, match=told):
        S2I(tmp_path / "other", pair[1], device="cpu")


def test_sounds_of_another_shape_and_keys_of_another_number_are_refused(method: S2I) -> None:
    with pytest.raises(InputError, match=r"^pictures takes sounds, floats \(B, 160000\), not \S+ \(1, 9\)"):
        method.pictures(torch.zeros(1, 9), ["a"], 1, 0)
    with pytest.raises(InputError, match=r"^1 sounds and 2 keys; give one key for each sound$"):
        method.pictures(torch.zeros(1, CLIP_SAMPLES), ["a", "b"], 1, 0)
    with pytest.raises(InputError, match=r"pictures\.draws is 0"):
        method.pictures(torch.zeros(1, CLIP_SAMPLES), ["a"], 0, 0)


def test_no_sound_gives_no_picture(method: S2I) -> None:
    assert method.pictures(torch.zeros(0, CLIP_SAMPLES), [], 2, 0).shape == (0, 2, 3, SIDE, SIDE)
