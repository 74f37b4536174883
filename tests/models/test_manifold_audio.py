from pathlib import Path
from typing import Any

import pytest
import torch

from manifolds import save_audio, save_autoencoder, tiny_audio
from sound2scene import artifacts
from sound2scene.models.manifold_audio import ManifoldAudio, MelPicture
from sound2scene.types import CLIP_SAMPLES, InputError


def sounds(count: int = 2) -> torch.Tensor:
    dice = torch.Generator().manual_seed(count)
    return 0.1 * torch.randn(count, CLIP_SAMPLES, generator=dice)


def test_the_defaults_have_the_published_number_of_parameters() -> None:
    assert sum(parameter.numel() for parameter in ManifoldAudio().parameters()) == 14_848_642


@pytest.mark.parametrize("window_s", [10.0, 1.0])
def test_the_spectrogram_is_torchaudios_in_decibels_over_80_resized(window_s: float) -> None:
    from torchaudio.transforms import AmplitudeToDB, MelSpectrogram

    start = (CLIP_SAMPLES - round(window_s * 16_000)) // 2
    part_BT = sounds()[:, start : CLIP_SAMPLES - start]
    mel_BFT = MelSpectrogram(16_000, n_fft=2048, hop_length=256, n_mels=40)(part_BT)
    level_BFT = AmplitudeToDB("power")(mel_BFT) / 80
    step = level_BFT.shape[2] / 32
    columns = [int(step * column) for column in range(32)]
    rows = [int(40 / 32 * row) for row in range(32)]
    expected_BFT = level_BFT[:, rows][:, :, columns]
    torch.testing.assert_close(
        MelPicture(32, 40, window_s)(sounds())[:, 0], expected_BFT, rtol=1e-4, atol=1e-4
    )


def test_twice_as_loud_is_the_same_step_everywhere_and_silence_is_the_floor() -> None:
    front = MelPicture(32, 32)
    step_B1HW = front(2 * sounds()) - front(sounds())
    torch.testing.assert_close(step_B1HW, torch.full_like(step_B1HW, 6.0206 / 80), rtol=1e-3, atol=1e-4)
    assert torch.equal(front(torch.zeros(1, CLIP_SAMPLES)), torch.full((1, 1, 32, 32), -1.25))


def test_only_the_middle_is_heard_within_a_window() -> None:
    changed_BT = sounds()
    changed_BT[:, : CLIP_SAMPLES // 2 - 8_000] = 0
    network = tiny_audio(window_s=1.0).eval()
    assert torch.equal(network(changed_BT), network(sounds()))
    whole = tiny_audio(window_s=10.0).eval()
    assert not torch.equal(whole(changed_BT), whole(sounds()))


@pytest.mark.parametrize("grid", [4, 8, 16])
def test_the_map_has_the_grid_that_was_asked_for(grid: int) -> None:
    assert tiny_audio(grid=grid, code_dim=6).eval()(sounds()).shape == (2, 6, grid, grid)


def test_channels_are_dropped_in_training_alone() -> None:
    network = tiny_audio(dropout=0.5)
    assert not torch.equal(network(sounds(4)), network(sounds(4)))
    network.eval()
    assert torch.equal(network(sounds(4)), network(sounds(4)))


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"grid": 12}, r"^audio_network\.grid is 12; set it to a power of two$"),
        ({"window_s": 11.0}, r"^audio_network\.window_s is 11\.0; set it to between 0\.1 and 10\.0$"),
        ({"dropout": 2}, r"^audio_network\.dropout is 2; set it to between 0 and 1$"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_by_name(sizes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        tiny_audio(**sizes)


def test_it_comes_back_from_its_artifact_as_it_was(tmp_path: Path) -> None:
    folder = save_audio(tmp_path / "audio", save_autoencoder(tmp_path / "autoencoder"), window_s=2.0)
    again = artifacts.load(folder, kind="manifold-audio")
    assert torch.equal(again(sounds()), tiny_audio(window_s=2.0).eval()(sounds()))
