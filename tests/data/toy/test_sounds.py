from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sound2scene.data.toy import sounds
from sound2scene.data.toy.truth import KINDS, Truth, draw_truth


def singles(count: int, split: str = "train", seed: int = 5) -> list[Truth]:
    return [draw_truth(seed, split, index) for index in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_spectrum_rises_with_pitch_by_an_octave_and_a_half(kind: str) -> None:
    def spectrum(pitch: float) -> NDArray[np.floating[Any]]:
        power_F = np.abs(np.fft.rfft(sounds.voice(kind, pitch, -20, 4.0, seed=1))) ** 2
        frequency_hz_F = np.fft.rfftfreq(4 * 16_000, 1 / 16_000)
        bins = np.digitize(np.log2(np.maximum(frequency_hz_F, 1)), np.arange(5, 13, 1 / 12))
        return np.sqrt(np.bincount(bins, power_F, minlength=98))

    low, high = spectrum(0.0), spectrum(1.0)
    shift = [float(low[: len(low) - s] @ high[s:]) for s in range(30)]
    assert abs(int(np.argmax(shift)) - 18) <= 2  # twelfths of an octave


def spectrum_features(truth: Truth) -> NDArray[np.floating[Any]]:
    """Mean and deviation over time of the log spectrum in 40 bands, relative to its maximum."""
    source = truth.sources[0]
    wave_T = sounds.voice(source.kind, source.pitch, source.loudness_db, 2.0, source.seed)
    wave_T = wave_T + sounds.noise_floor(truth.noise_floor_db, truth.seed)[: len(wave_T)]
    frame_TS = np.lib.stride_tricks.sliding_window_view(wave_T, 512)[::160] * np.hanning(512)
    power_TF = np.abs(np.fft.rfft(frame_TS, axis=1)) ** 2
    frequency_hz_F, edge_hz = np.fft.rfftfreq(512, 1 / 16_000), np.geomspace(50, 8000, 41)
    bands = [(frequency_hz_F >= a) & (frequency_hz_F < max(b, a + 32)) for a, b in pairwise(edge_hz)]
    band_TF = power_TF @ np.stack(bands, axis=1)
    log_TF = np.log(band_TF / band_TF.max() + 1e-4)
    return np.concatenate([log_TF.mean(axis=0), log_TF.std(axis=0)])


@pytest.mark.costly
def test_voices_are_told_apart_by_their_nearest_centroid() -> None:
    train, held_out = singles(160), singles(80, "val")
    train_ND, held_out_ND = (np.stack([spectrum_features(t) for t in truths]) for truths in (train, held_out))
    scale = train_ND.std(axis=0) + 1e-3
    centroid = np.stack([train_ND[[t.label == kind for t in train]].mean(axis=0) for kind in KINDS])
    distance = (((held_out_ND[:, None] - centroid[None]) / scale) ** 2).sum(axis=2)
    correct = [KINDS[i] == t.label for i, t in zip(distance.argmin(axis=1), held_out, strict=True)]
    assert np.mean(correct) > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_a_voice_has_its_loudness_and_stays_below_full_scale(kind: str) -> None:
    for seed, (pitch, loudness_db) in enumerate([(0.0, -8.0), (1.0, -8.0), (0.5, -34.0)]):
        wave_T = sounds.voice(kind, pitch, loudness_db, 2.5, seed)
        assert wave_T.shape == (40_000,)
        assert wave_T.dtype == np.float32
        assert 20 * np.log10(np.sqrt(np.mean(wave_T**2))) == pytest.approx(loudness_db, abs=0.01)
        assert np.abs(wave_T).max() < 1


def test_the_noise_floor_has_its_level() -> None:
    noise_T = sounds.noise_floor(-55.0, seed=3)
    assert noise_T.shape == (160_000,)
    assert 20 * np.log10(np.sqrt(np.mean(noise_T**2))) == pytest.approx(-55, abs=0.1)
