"""The voices of the toy world: eight timbres synthesised in NumPy, each over a pitch of 1.5 octaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sound2scene.types import CLIP_SAMPLES, SAMPLE_RATE_HZ

PITCH_OCTAVES = 1.5
Wave = NDArray[np.floating[Any]]
Voice = Callable[[Wave, float, np.random.Generator], Wave]
_FADE_SAMPLES = 320  # 20 ms, so that no voice is told apart by the click at its ends
# Soft limit in units of the RMS: only sources above about -7 dBFS touch full scale.
_CREST = 2.2


def _phase(frequency_hz_T: Wave) -> Wave:
    """Phase in radians of a tone whose frequency moves."""
    # Summed in float64, so that long tones stay in tune.
    cycles_T = np.cumsum(frequency_hz_T, dtype=np.float64) / SAMPLE_RATE_HZ
    return (2 * np.pi * (cycles_T % 1.0)).astype(np.float32)


def _band_noise(samples: int, centre_hz: float, octaves: float, rng: np.random.Generator) -> Wave:
    """Noise with a Gaussian band in log frequency (standard deviation ``octaves``), unit RMS."""
    padded = -(-samples // 4096) * 4096  # a length the FFT likes
    spectrum_F = np.fft.rfft(rng.standard_normal(padded, dtype=np.float32))
    frequency_hz_F = np.fft.rfftfreq(padded, 1 / SAMPLE_RATE_HZ)
    distance_F = np.log2(np.maximum(frequency_hz_F, 1.0) / centre_hz) / octaves
    noise_T = np.fft.irfft(spectrum_F * np.exp(-0.5 * distance_F**2))[:samples]
    return np.asarray((noise_T / np.sqrt(np.mean(noise_T**2))).astype(np.float32))


def _since_onset(t_s_T: Wave, onset_s: Wave) -> Wave:
    """Seconds since the latest of the sorted onsets, which begin at or before 0."""
    return t_s_T - onset_s[np.searchsorted(onset_s, t_s_T, side="right") - 1]


def _onset_s(duration_s: float, period_s: float, jitter: float, rng: np.random.Generator) -> Wave:
    """Onsets about ``period_s`` apart; ``jitter`` is the deviation in units of the period."""
    count = int(duration_s / period_s * (1 + jitter)) + 4
    gap_s = period_s * (1 + jitter * rng.uniform(-1, 1, count))
    return np.asarray((np.cumsum(gap_s) - gap_s[0]).astype(np.float32))


def _bell(t_s_T: Wave, octave: float, rng: np.random.Generator) -> Wave:
    """Inharmonic partials of a church bell, high ones fading first, struck about twice a second."""
    since_s_T = _since_onset(t_s_T, _onset_s(float(t_s_T[-1]), rng.uniform(0.45, 0.7), 0.1, rng))
    f0_hz = 620 * 2**octave
    partials = (
        (0.5, 0.4, 2.0),
        (1.0, 1.0, 2.6),
        (1.2, 0.7, 3.2),
        (2.0, 0.8, 4.0),
        (2.74, 0.6, 5.5),
        (3.76, 0.4, 8.0),
    )
    tones = [a * np.exp(-d * since_s_T) * np.sin(2 * np.pi * r * f0_hz * t_s_T) for r, a, d in partials]
    return np.asarray(np.sum(tones, axis=0, dtype=np.float32))


def _siren(t_s_T: Wave, octave: float, rng: np.random.Generator) -> Wave:
    """A tone wailing up and down over one octave, with odd harmonics."""
    turn_T = np.abs(2 * ((rng.uniform(0.8, 1.3) * t_s_T + rng.uniform()) % 1.0) - 1)
    phase_T = _phase(580 * 2 ** (octave + turn_T))
    return np.sin(phase_T) + 0.45 * np.sin(3 * phase_T) + 0.2 * np.sin(5 * phase_T)


def _engine(t_s_T: Wave, octave: float, rng: np.random.Generator) -> Wave:
    """A softened sawtooth at a low pitch that idles: its strength beats about ten times a second."""
    wobble_T = 1 + 0.02 * np.sin(2 * np.pi * rng.uniform(0.5, 1.5) * t_s_T)
    phase_T = _phase(95 * 2**octave * wobble_T)
    tones = [np.sin(k * phase_T) / k for k in range(1, 13)]
    beat_T = 1 + 0.6 * np.sin(2 * np.pi * rng.uniform(8, 12) * t_s_T)
    return np.asarray(np.sum(tones, axis=0, dtype=np.float32) * beat_T)


def _bird(t_s_T: Wave, octave: float, rng: np.random.Generator) -> Wave:
    """Short falling chirps high up, with silence between them."""
    since_s_T = _since_onset(t_s_T, _onset_s(float(t_s_T[-1]), rng.uniform(0.16, 0.22), 0.2, rng))
    progress_T = np.minimum(since_s_T / 0.11, 1.0)
    tone_T = np.sin(_phase(3300 * 2 ** (octave + 0.25 - 0.5 * progress_T)))
    return np.asarray(tone_T * np.sin(np.pi * progress_T) ** 2)


def _rain(t_s_T: Wave, octave: float, rng: np.random.Generator) -> Wave:
    """A steady hiss about an octave wide."""
    noise_T = _band_noise(len(t_s_T), 2600 * 2**octave, 0.35, rng)
    return np.asarray(noise_T * (1 + 0.2 * np.sin(2 * np.pi * rng.uniform(0.5, 1.5) * t_s_T)))


def _drum(t_s_T: Wave, octave: float, rng: np.random.Generator) -> Wave:
    """Low strokes whose pitch falls, each with a short broad click."""
    since_s_T = _since_onset(t_s_T, _onset_s(float(t_s_T[-1]), rng.uniform(0.2, 0.3), 0.08, rng))
    fall_T = np.exp(-30 * since_s_T)
    skin_T = np.sin(_phase(150 * 2**octave * (1 + fall_T))) * np.exp(-12 * since_s_T)
    return np.asarray(
        skin_T + 0.5 * rng.standard_normal(len(t_s_T), dtype=np.float32) * np.exp(-120 * since_s_T)
    )


def _flute(t_s_T: Wave, octave: float, rng: np.random.Generator) -> Wave:
    """One long, nearly pure tone with vibrato and some breath."""
    vibrato_T = 1 + 0.012 * np.sin(2 * np.pi * rng.uniform(4.5, 6.0) * t_s_T)
    f0_hz = 1000 * 2**octave
    phase_T = _phase(f0_hz * vibrato_T)
    tone_T = np.sin(phase_T) + 0.3 * np.sin(2 * phase_T) + 0.08 * np.sin(3 * phase_T)
    return tone_T + 0.05 * _band_noise(len(t_s_T), 1.5 * f0_hz, 0.5, rng)


def _fire(t_s_T: Wave, octave: float, rng: np.random.Generator) -> Wave:
    """Irregular crackles over a low rumble."""
    since_s_T = _since_onset(t_s_T, _onset_s(float(t_s_T[-1]), 0.05, 0.9, rng))
    strength_T = (0.15 + np.exp(-60 * since_s_T)).astype(np.float32)
    crackle_T = strength_T * _band_noise(len(t_s_T), 800 * 2**octave, 0.7, rng)
    return crackle_T + 0.15 * _band_noise(len(t_s_T), 120, 0.5, rng)


VOICES: Mapping[str, Voice] = {
    "bell": _bell,
    "siren": _siren,
    "engine": _engine,
    "bird": _bird,
    "rain": _rain,
    "drum": _drum,
    "flute": _flute,
    "fire": _fire,
}


def voice(kind: str, pitch: float, loudness_db: float, duration_s: float, seed: int) -> NDArray[np.float32]:
    """Let one kind sound.

    Args:
        kind: Kind of the source, a key of ``VOICES``.
        pitch: Pitch in [0, 1]; the fundamental (of noises: the centre of the band) rises by 1.5 octaves over
            it.
        loudness_db: RMS over the whole duration, in dB relative to full scale.
        duration_s: Length in seconds.
        seed: Seed of what neither picture nor label tells: rhythm, phases, vibrato.

    Returns:
        waveform_T: float32 at 16 kHz; within full scale for loudness up to -7 dB.
    """
    t_s_T = np.arange(round(duration_s * SAMPLE_RATE_HZ), dtype=np.float32) / SAMPLE_RATE_HZ
    wave_T = VOICES[kind](t_s_T, PITCH_OCTAVES * (pitch - 0.5), np.random.default_rng(seed))
    for _ in range(2):  # limiting lowers the RMS, so the second pass starts from the true one
        wave_T = _CREST * np.tanh(wave_T / np.sqrt(np.mean(wave_T**2)) / _CREST)
    ramp_T = np.sin(np.linspace(0, np.pi / 2, _FADE_SAMPLES, dtype=np.float32)) ** 2
    wave_T[:_FADE_SAMPLES] *= ramp_T
    wave_T[-_FADE_SAMPLES:] *= ramp_T[::-1]
    return np.asarray((wave_T * (10 ** (loudness_db / 20) / np.sqrt(np.mean(wave_T**2)))).astype(np.float32))


def noise_floor(level_db: float, seed: int) -> NDArray[np.float32]:
    """Ten seconds of white noise.

    Args:
        level_db: RMS, in dB relative to full scale.
        seed: Seed of the noise.

    Returns:
        waveform_T: 160,000 samples, float32.
    """
    noise_T = np.random.default_rng(seed).standard_normal(CLIP_SAMPLES, dtype=np.float32)
    return noise_T * np.float32(10 ** (level_db / 20))
