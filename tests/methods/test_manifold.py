from pathlib import Path

import pytest
import torch

from manifolds import save_autoencoder, tiny_audio, tiny_autoencoder
from sound2scene import artifacts, images
from sound2scene.methods.manifold import Manifold
from sound2scene.protocols import Method
from sound2scene.types import CLIP_SAMPLES, InputError


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Networks with a code for each sound, so that their pictures differ."""
    folder = tmp_path_factory.mktemp("manifold")
    audio, autoencoder = tiny_audio().eval(), tiny_autoencoder(codes=10).eval()
    with torch.no_grad():
        audio.head[-1].weight *= 10_000  # random networks hardly tell sounds apart
        autoencoder.codebook_KD.copy_(audio(sounds(10)).mean((2, 3)))
    card = {"kind": "manifold-autoencoder", "preset": "pixels32"}
    artifacts.save(autoencoder, folder / "autoencoder", card=card)
    notes = {"autoencoder": artifacts.fingerprint(autoencoder)}
    artifacts.save(audio, folder / "audio", card=card | {"kind": "manifold-audio", "notes": notes})
    return folder / "audio", folder / "autoencoder"


@pytest.fixture(scope="module")
def method(pair: tuple[Path, Path]) -> Manifold:
    return Manifold(*pair, device="cpu")


def sounds(count: int) -> torch.Tensor:
    """Louder from one to the next."""
    dice = torch.Generator().manual_seed(0)
    gain_B1 = torch.logspace(-4, 0, 10)[:count, None]
    return gain_B1 * torch.rand(10, CLIP_SAMPLES, generator=dice)[:count]


def names(count: int) -> list[str]:
    return [f"clip-{number}" for number in range(count)]


def test_it_is_a_method_and_says_that_nothing_is_random(method: Manifold) -> None:
    assert isinstance(method, Method)
    assert method.deterministic
    assert method.resolution == 32
    assert method.fingerprints.keys() == {"audio_network", "autoencoder"}


def test_a_picture_is_decoded_from_the_codes_nearest_to_what_is_heard(
    method: Manifold, pair: tuple[Path, Path]
) -> None:
    network, autoencoder = (artifacts.load(folder) for folder in pair)
    drawn = method.pictures(sounds(8), names(8), 1, 0)
    assert (drawn.shape, drawn.dtype) == ((8, 1, 3, 32, 32), torch.uint8)
    with torch.no_grad():
        code_BDHW = autoencoder.codebook_KD[autoencoder.nearest(network(sounds(8)))].permute(0, 3, 1, 2)
        expected = images.to_pixel(autoencoder.decoder(code_BDHW) * 2 - 1)
    assert torch.equal(drawn[:, 0], expected)
    assert not torch.equal(drawn[0], drawn[7])


def test_a_picture_depends_on_its_own_sound_alone(method: Manifold) -> None:
    whole = method.pictures(sounds(10), names(10), 2, 0)
    assert torch.equal(method.pictures(sounds(10)[9:], ["other"], 2, 7), whole[9:])
    assert torch.equal(method.pictures(sounds(10).flip(0), names(10), 1, 0), whole.flip(0)[:, :1])
    assert torch.equal(whole[:, 0], whole[:, 1])


def test_no_sounds_give_no_pictures(method: Manifold) -> None:
    assert method.pictures(sounds(0), [], 3, 0).shape == (0, 3, 3, 32, 32)


@pytest.mark.parametrize("samples", [CLIP_SAMPLES - 1, 1])
def test_sounds_of_another_length_are_refused(method: Manifold, samples: int) -> None:
    told = rf"^pictures takes sounds, floats \(B, 160000\), not torch\.float32 \(1, {samples}\); read them by"
    with pytest.raises(InputError, match=told):
        method.pictures(torch.zeros(1, samples), ["a"], 1, 0)


def test_settings_out_of_their_range_are_refused_by_name(method: Manifold) -> None:
    with pytest.raises(InputError, match=r"^pictures\.draws is 0; set it to at least 1$"):
        method.pictures(sounds(1), names(1), 0, 0)
    with pytest.raises(InputError, match=r"^pictures\.seed is -1; set it to between 0 and"):
        method.pictures(sounds(1), names(1), 1, -1)


def test_networks_that_were_not_trained_together_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = save_autoencoder(tmp_path / "autoencoder", codes=9)
    with pytest.raises(
        InputError, match=r"audio: belongs to autoencoder [0-9a-f]{12}, not to [0-9a-f]{12}; take"
    ):
        Manifold(pair[0], other)
    with pytest.raises(InputError, match=r"autoencoder: holds a network of kind 'manifold-autoencoder', not"):
        Manifold(pair[1], pair[1])
