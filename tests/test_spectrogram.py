import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from oracles import log_mel_density, paper_log_density, standardised
from sound2scene.audio import factor, load, to_pcm16
from sound2scene.spectrogram import DENSITY_FLOOR, PRESETS, PaperSpectrogram, spectrogram
from sound2scene.types import CLIP_SAMPLES, InputError

ORACLES = {"paper": paper_log_density, "log_mel": log_mel_density}
PUBLISHED_BINS = [0, 1, 64, 128, 255, 256]
SOUNDS = [
    *(
        f"inference/{name}"
        for name in ("chainsaw", "church", "cow", "ocean", "printer", "scuba", "ski", "tractor")
    ),
    *(f"training/audios/{name}" for name in ("1XjwssJT_ok_25000_35000", "1ieXYD-OKXw_30000_40000")),
    *(f"training/audios/{name}" for name in ("VNs8qiFvwfk_30000_40000", "XvuoIqLqMng_210000_220000")),
]


def noise(clips: int, samples: int = CLIP_SAMPLES, level: float = 0.05) -> torch.Tensor:
    """Fading noise with a loud hum and an offset, so that values span a wide range."""
    white_BT = torch.randn(clips, samples, generator=torch.Generator().manual_seed(clips))
    hum_T = 0.2 * torch.sin(2 * torch.pi * 50 * torch.arange(samples) / 16_000)
    return (level * white_BT * torch.linspace(1, 0.001, samples) + hum_T + 0.3).clamp(-1, 1)


def gain(waveform_BT: torch.Tensor, gain_db: float) -> torch.Tensor:
    """Louder sounds, saturated at full scale."""
    return (waveform_BT * factor(gain_db)).clamp(-1, 1)


@pytest.mark.parametrize("sound", SOUNDS)
def test_paper_preset_equals_the_published_numbers(sound: str, real_data: Path, parity: Path) -> None:
    published = np.load(parity / "spectrogram_official_samples.npz")
    name = sound.rpartition("/")[2]
    waveform_BT = torch.from_numpy(load(real_data / "vggsound_samples" / f"{sound}.wav"))[None]
    preset = spectrogram("paper")
    spectrogram_FT = preset(waveform_BT)[0].numpy()
    log_FT = preset.log_density(waveform_BT)[0].double().numpy() + np.log(DENSITY_FLOOR)

    assert spectrogram_FT.shape == preset.shape
    np.testing.assert_allclose(spectrogram_FT[PUBLISHED_BINS], published[f"{name}/rows"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(spectrogram_FT.mean(1), published[f"{name}/time_mean"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(
        [log_FT.mean(), log_FT.std()], published[f"{name}/log_mean_std"], rtol=0, atol=1e-4
    )
    for times in ("0.1", "0.3", "3.0"):
        louder_FT = preset(gain(waveform_BT, 20 * np.log10(float(times))))[0].numpy()
        change = np.abs(louder_FT - spectrogram_FT).mean()
        np.testing.assert_allclose(
            change, published[f"{name}/gain_{times}_mean_abs_change"], rtol=0, atol=1e-4
        )


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(("clips", "samples"), [(1, CLIP_SAMPLES), (3, CLIP_SAMPLES), (5, 16_001)])
def test_preset_equals_its_oracle_per_clip(name: str, clips: int, samples: int) -> None:
    waveform_BT = noise(clips, samples)
    preset = spectrogram(name)
    for waveform_T, fast_FT in zip(waveform_BT.numpy(), preset(waveform_BT).numpy(), strict=True):
        np.testing.assert_allclose(fast_FT, standardised(ORACLES[name](waveform_T)), rtol=0, atol=1e-4)
    if samples == CLIP_SAMPLES:
        assert fast_FT.shape == preset.shape


@pytest.mark.slow  # librosa compiles itself
def test_the_oracle_of_log_mel_is_librosas_own() -> None:
    import librosa

    waveform_T = noise(1)[0].double().numpy()
    mel_FT = librosa.feature.melspectrogram(
        y=waveform_T, sr=16_000, n_fft=1024, hop_length=160, n_mels=128, pad_mode="reflect"
    )
    window_power = np.square(np.hanning(1025)[:-1]).sum()
    expected_FT = np.log(mel_FT * (16_000 / 1024) * 2 / (16_000 * window_power) + 1e-7)
    np.testing.assert_allclose(log_mel_density(waveform_T), expected_FT, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", PRESETS)
def test_low_level_and_offset_keep_their_digits(name: str) -> None:
    waveform_BT = 0.9 + noise(1, level=1e-4) * 1e-3
    oracle_FT = standardised(ORACLES[name](waveform_BT[0].numpy()))
    # What is left of log-mel is its leakage of an offset of 0.9; the paper's preset removes the offset.
    np.testing.assert_allclose(spectrogram(name)(waveform_BT)[0].numpy(), oracle_FT, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", PRESETS)
def test_silence_is_all_zeros_and_not_noise(name: str) -> None:
    assert torch.equal(
        spectrogram(name)(torch.zeros(2, CLIP_SAMPLES)), torch.zeros(2, *spectrogram(name).shape)
    )


def test_a_gain_survives_only_by_floor_clipping_and_quantisation() -> None:
    sound_BT = noise(1).sub(0.3).mul(0.5)
    half_db = 20 * np.log10(0.5)
    with_floor, without_floor = spectrogram("paper"), PaperSpectrogram(density_floor=1e-20)

    def change(preset: torch.nn.Module, edited_BT: torch.Tensor) -> float:
        return float((preset(edited_BT) - preset(sound_BT)).abs().mean())

    assert change(without_floor, gain(sound_BT, half_db)) < 1e-5
    assert change(with_floor, gain(sound_BT, half_db)) > 0.01
    assert change(without_floor, gain(sound_BT, 20.0)) > 0.01
    quiet_BT = gain(sound_BT, -60.0)
    assert change(without_floor, quiet_BT) < 1e-3
    assert change(without_floor, torch.from_numpy(to_pcm16(quiet_BT.numpy()) / np.float32(32_768))) > 0.01


@pytest.mark.parametrize("name", PRESETS)
def test_autocast_does_not_change_a_digit(name: str) -> None:
    preset, waveform_BT = spectrogram(name), noise(2, 16_000)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside_BFT = preset(waveform_BT)
    assert inside_BFT.dtype == torch.float32
    assert torch.equal(inside_BFT, preset(waveform_BT))


@pytest.mark.parametrize("name", PRESETS)
def test_half_precision_window_is_refused_rather_than_used(name: str) -> None:
    with pytest.raises(InputError, match=r"cast to torch\.bfloat16"):
        copy.deepcopy(spectrogram(name)).bfloat16()(noise(1, 16_000))


@pytest.mark.parametrize("name", PRESETS)
def test_input_is_left_alone_and_gradient_is_right(name: str) -> None:
    preset, waveform_BT = spectrogram(name), noise(3, 8_000).requires_grad_()
    before_BT = waveform_BT.detach().clone()
    weight_BFT = torch.randn(preset(waveform_BT).shape, generator=torch.Generator().manual_seed(0))
    (gradient_BT,) = torch.autograd.grad((preset(waveform_BT) * weight_BFT).sum(), waveform_BT)
    assert torch.equal(waveform_BT, before_BT)

    step_BT = 1e-3 * torch.randn(before_BT.shape, generator=torch.Generator().manual_seed(1))
    difference_BFT = preset(before_BT + step_BT).double() - preset(before_BT - step_BT).double()
    expected = float((difference_BFT * weight_BFT).sum() / 2)
    assert float((gradient_BT * step_BT).sum()) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("grid", [1600, 1601, 8000])
def test_windows_of_one_sound_look_as_each_does_alone(name: str, grid: int) -> None:
    first_N = grid * torch.tensor([3, 0, 1, 2]) - 4000
    sound_T = torch.nn.functional.pad(noise(1, 28_000)[0], (4000, 0))
    window_NT = torch.stack([sound_T[first + 4000 :][:8000] for first in first_N.tolist()])
    preset = spectrogram(name)
    found, alone = preset.log_density_within(window_NT, first_N), preset.log_density(window_NT)
    torch.testing.assert_close(found, alone, rtol=1e-6, atol=1e-6)


def test_a_segment_that_windows_share_is_transformed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    preset, transform, rows = spectrogram("log_mel"), torch.fft.rfft, []
    monkeypatch.setattr(
        torch.fft, "rfft", lambda segments: rows.append(segments[..., 0].numel()) or transform(segments)
    )
    window_NT = noise(1, 8000 + 9 * 1600)[0].unfold(0, 8000, 1600)
    preset.log_density_within(window_NT, torch.arange(10) * 1600)
    assert sum(rows) == 43 + 9 * 10 + 10 * 8  # of the first window, new ones of each other, and at both ends


def test_a_preset_adds_nothing_to_a_checkpoint() -> None:
    assert [list(spectrogram(name).state_dict()) for name in PRESETS] == [[], []]


def test_an_unknown_preset_is_refused_with_the_known_names() -> None:
    with pytest.raises(InputError, match=r"'papper'; choose one of: paper, log_mel"):
        spectrogram("papper")
