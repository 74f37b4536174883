"""Several sounds at once: their weighted sum, heard as one sound (paper, Figure 4)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sound2scene import audio, ranges
from sound2scene.control.waveform import Edited, finished
from sound2scene.types import SAMPLE_RATE_HZ, InputError

GAINS_DB = ranges.Range(between=(-120, 120))
RATIOS_DB = ranges.Range(between=(-120, 120))
OFFSETS_S = ranges.Range(between=(-10, 10))


def crossfade(share: float, sounds: int) -> list[float]:
    """Factors of x = a * first + (1 - a) * (sum of the others), the rule of the released series.

    Args:
        share: The a of the first sound, 0 to 1.
        sounds: How many there are, at least 2.

    Raises:
        InputError: If the share is not between 0 and 1.
    """
    ranges.check("mix", ranges.PART, a=share)
    return [share, *[1 - share] * (sounds - 1)]


def by_gains(gains_db: Sequence[float]) -> list[float]:
    """Factors of gains in dB; 0 dB leaves a sound as it is.

    Raises:
        InputError: If a gain is NaN or beyond 120 dB.
    """
    for gain_db in gains_db:
        ranges.check("mix", GAINS_DB, gain_db=gain_db)
    return [audio.factor(gain_db) for gain_db in gains_db]


def at_ratio(waveforms: Sequence[NDArray[np.float32]], ratio_db: float) -> list[float]:
    """Factors that bring the first sound to a level over the sum of the others, the louder side turned down.

    Args:
        waveforms: At least two sounds of one length.
        ratio_db: Root mean square of the first over that of the sum of the others, in dB.

    Raises:
        InputError: If the ratio is NaN or beyond 120 dB, or the first sound or the others are silent.
    """
    ranges.check("mix", RATIOS_DB, ratio_db=ratio_db)
    others_T = np.sum(np.stack(waveforms[1:]), axis=0)
    for words, waveform_T in (("the first sound", waveforms[0]), ("the sum of the others", others_T)):
        if audio.is_silent(waveform_T):
            raise InputError(f"mix: {words} is silent and has no ratio to another; give gains, or a")
    change = audio.factor(ratio_db) * _root_mean_square(others_T) / _root_mean_square(waveforms[0])
    return [min(1.0, change), *[min(1.0, 1 / change)] * (len(waveforms) - 1)]


def mix(
    waveforms: Sequence[NDArray[np.float32]], factors: Sequence[float], normalise: bool = False
) -> Edited:
    """The weighted sum of sounds, clipped at full scale and rounded to 16 bits.

    The peak is left where it is, as in the published examples. Where one sound is left alone at factor 1, it
    comes back bit for bit.

    Args:
        waveforms: Sounds of one length, 16 kHz mono in [-1, 1].
        factors: Factor of each.
        normalise: Bring the peak of the sum to full scale; nothing is clipped then.

    Raises:
        InputError: If the sounds are of different lengths.
    """
    if len({len(waveform_T) for waveform_T in waveforms}) > 1:
        raise InputError("sounds of different lengths cannot be mixed; use audio.fit_length on each first")
    heard = [(one_T, by) for one_T, by in zip(waveforms, factors, strict=True) if by]
    if not normalise and len(heard) == 1 and heard[0][1] == 1:
        return Edited(heard[0][0])
    sum_T = np.zeros(len(waveforms[0]), np.float64)
    for waveform_T, by in heard:
        sum_T += by * waveform_T.astype(np.float64)
    if normalise and (peak := float(np.abs(sum_T).max(initial=0))) > 0:
        sum_T *= (1 - 1 / 32_768) / peak
    return finished(sum_T.astype(np.float32))


def shifted(waveform_T: NDArray[np.float32], offset_s: float) -> NDArray[np.float32]:
    """A sound that begins later, or has begun before; what that leaves open is silent, the length stays.

    Args:
        waveform_T: 16 kHz mono.
        offset_s: Seconds by which it begins later, -10 to 10.

    Raises:
        InputError: If the offset is NaN or out of that range.
    """
    ranges.check("mix", OFFSETS_S, offset_s=offset_s)
    samples = round(offset_s * SAMPLE_RATE_HZ)
    if not samples:
        return waveform_T
    moved_T = np.zeros_like(waveform_T)
    if samples > 0:
        moved_T[samples:] = waveform_T[: max(0, len(waveform_T) - samples)]
    else:
        moved_T[: max(0, len(waveform_T) + samples)] = waveform_T[-samples:]
    return moved_T


def _root_mean_square(waveform_T: NDArray[np.float32]) -> float:
    return math.sqrt(float(np.square(waveform_T, dtype=np.float64).mean()))
