"""Sounds in memory, arrays and tensors of any layout, brought to what a file would have become."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sound2scene import audio
from sound2scene.types import CLIP_S, InputError

Samples: TypeAlias = NDArray[Any] | Tensor

MOST_CHANNELS = 64
RATES_HZ = (100, 10_000_000)
_MARGIN_S = 0.1  # read past the cut, as of files, so that the resampling filter sees how the sound goes on


def to_waveform(sound: Samples, sample_rate_hz: object, name: str = "sound") -> NDArray[np.float32]:
    """Bring samples into the form that `audio.load` gives files: 10 s of 16 kHz mono.

    Whole numbers count from their type's full scale (int16: 32768; uint8 around 128, as in WAV files), and
    floats from 1. Of two axes the shorter one holds channels, which are averaged, so that the layouts of
    soundfile (T, C) and torchaudio (C, T) both come out right. Rate and length are treated as those of files.

    Args:
        sound: Array or tensor of one axis, or of two with up to 64 channels.
        sample_rate_hz: Its sample rate.
        name: Name of the sound in an error message.

    Returns:
        waveform_T: float32 in [-1, 1], 160,000 samples.

    Raises:
        InputError: If the rate is missing or none, the layout cannot be understood, or the sound would be
            refused in a file: less than 10 ms, NaN, or beyond `audio.OVERSHOOT`.
    """
    rate_hz = _rate(sample_rate_hz, name)
    samples_TC = _columns(_array(sound, name), name)
    part_TC = _full_scale(samples_TC[: math.ceil((CLIP_S + _MARGIN_S) * rate_hz)], name)
    if len(part_TC) < audio.SHORTEST_S * rate_hz:
        raise InputError(
            f"{name}: {len(part_TC)} samples at {rate_hz:g} Hz are less than {audio.SHORTEST_S:g} s; "
            "give a longer sound"
        )
    if not np.isfinite(part_TC).all():
        raise InputError(f"{name}: holds NaN or infinity; give finite samples")
    if fault := audio.beyond_scale(part_TC):
        raise InputError(f"{name}: {fault}; divide them by their full scale")
    return audio.to_clip(part_TC, rate_hz, CLIP_S, name)


def _rate(rate: object, name: str) -> float:
    low, high = RATES_HZ
    if rate is None:
        raise InputError(f"{name}: an array does not say its rate; give sample_rate_hz, such as 44100")
    if not isinstance(rate, Real) or isinstance(rate, bool) or not low <= float(rate) <= high:
        raise InputError(
            f"{name}: sample_rate_hz is {str(rate)[:40]}; give samples per second, {low} to {high}"
        )
    return float(rate)


def _array(sound: Samples, name: str) -> NDArray[Any]:
    if not isinstance(sound, Tensor):
        return sound
    try:
        found: NDArray[Any] = (
            (sound.detach().float() if sound.is_floating_point() else sound.detach())
            .cpu()
            .resolve_neg()
            .numpy()
        )
    except (RuntimeError, TypeError):  # sparse, quantised, on the device "meta"
        raise InputError(f"{name}: a tensor without plain samples; give a dense one") from None
    return found


def _columns(samples: NDArray[Any], name: str) -> NDArray[Any]:
    """Samples as (T, C)."""
    shape = " x ".join(map(str, samples.shape))
    if samples.size == 0:
        raise InputError(f"{name}: holds no samples; give at least {audio.SHORTEST_S:g} s of sound")
    if samples.ndim == 1:
        return samples[:, None]
    if samples.ndim != 2:
        raise InputError(
            f"{name}: has {samples.ndim} axes ({shape}); give one, or two with channels, and several sounds "
            "as a list"
        )
    if min(samples.shape) > MOST_CHANNELS or samples.shape[0] == samples.shape[1]:
        raise InputError(
            f"{name}: of {shape} samples no axis can be told to hold channels; average them to one axis"
        )
    return samples if samples.shape[1] < samples.shape[0] else samples.T


def _full_scale(samples_TC: NDArray[Any], name: str) -> NDArray[np.float32]:
    kind = samples_TC.dtype
    if kind.kind == "f":
        with np.errstate(over="ignore"):  # what float32 cannot hold is refused as infinite
            return samples_TC.astype(np.float32)
    if kind.kind not in "iu":
        raise InputError(f"{name}: samples of type {kind} are no sound; give floats in [-1, 1] or int16")
    half = 2.0 ** (8 * kind.itemsize - 1)
    return ((samples_TC.astype(np.float64) - (half if kind.kind == "u" else 0)) / half).astype(np.float32)
