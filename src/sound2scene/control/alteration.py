"""Other changes of a sound: pitch, reverberation, crop and fade."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sound2scene import audio, ranges
from sound2scene.control.waveform import Edited, finished
from sound2scene.seeds import seed_of
from sound2scene.types import SAMPLE_RATE_HZ, InputError

SEMITONES = ranges.Range(between=(-36, 36))
DECAY_S = ranges.Range(between=(0, 10))
FADE_S = ranges.Range(between=(0, 10))


def pitched(waveform_T: NDArray[np.float32], semitones: float) -> Edited:
    """A sound higher or lower at the same pace, by librosa's phase vocoder; 0 leaves it as it is.

    Raises:
        InputError: If the semitones are NaN or beyond 36.
    """
    ranges.check("alter", SEMITONES, pitch=semitones)
    if not semitones:
        return Edited(waveform_T)
    import librosa

    moved_T = librosa.effects.pitch_shift(
        waveform_T, sr=SAMPLE_RATE_HZ, n_steps=semitones, res_type="soxr_hq"
    )
    return finished(np.asarray(moved_T, np.float32))


def reverberant(waveform_T: NDArray[np.float32], decay_s: float) -> Edited:
    """A sound in a room: its echoes are decaying noise (Moorer, *About this reverberation business*, 1979).

    The echoes have together the energy of the sound itself, and the result has its root mean square, so that
    a room is no change of volume. The noise is always the same.

    Args:
        waveform_T: 16 kHz mono in [-1, 1].
        decay_s: Seconds in which the echoes fall by 60 dB, 0 (none; the sound comes back as it is) to 10.

    Raises:
        InputError: If the seconds are NaN or out of that range.
    """
    from scipy.signal import fftconvolve

    ranges.check("alter", DECAY_S, reverb=decay_s)
    samples = round(decay_s * SAMPLE_RATE_HZ)
    if not samples:
        return Edited(waveform_T)
    seed = seed_of("reverberation")
    echo_T = np.random.default_rng(seed).standard_normal(samples)
    echo_T *= 10 ** (-3 * np.arange(samples) / samples)
    echo_T /= math.sqrt(float(np.square(echo_T).sum()))
    echo_T[0] += 1
    room_T = fftconvolve(waveform_T.astype(np.float64), echo_T)[: len(waveform_T)]
    before, after = (float(np.square(one_T, dtype=np.float64).sum()) for one_T in (waveform_T, room_T))
    if after > 0:
        room_T *= math.sqrt(before / after)
    return finished(room_T.astype(np.float32))


def cropped(waveform_T: NDArray[np.float32], start_s: float, end_s: float) -> Edited:
    """A part of a sound, repeated end to end to the old length, as a file that short would be.

    Raises:
        InputError: If the part is not inside the sound, or shorter than 10 ms.
    """
    check_part(start_s, end_s, len(waveform_T) / SAMPLE_RATE_HZ)
    first, last = (round(second * SAMPLE_RATE_HZ) for second in (start_s, end_s))
    if last - first == len(waveform_T):
        return Edited(waveform_T)
    return finished(audio.fit_length(waveform_T[first:last], len(waveform_T)))


def check_part(start_s: float, end_s: float, length_s: float) -> None:
    """Refuse what is no part of a sound.

    Raises:
        InputError: If the part is not inside the sound, or shorter than 10 ms.
    """
    if not (0 <= start_s <= end_s <= length_s and end_s - start_s >= audio.SHORTEST_S):
        raise InputError(
            f"alter.crop is {start_s:g}:{end_s:g}; give two seconds between 0 and {length_s:g}, the first "
            f"of them at least {audio.SHORTEST_S:g} s smaller"
        )


def faded(waveform_T: NDArray[np.float32], fade_s: float) -> Edited:
    """A sound that swells over its first seconds and dies away over its last ones, linearly in amplitude.

    Args:
        waveform_T: 16 kHz mono in [-1, 1].
        fade_s: Length of each of the two, 0 (none; the sound comes back as it is) to 10 s.

    Raises:
        InputError: If the seconds are NaN or out of that range.
    """
    ranges.check("alter", FADE_S, fade=fade_s)
    samples = round(fade_s * SAMPLE_RATE_HZ)
    if not samples:
        return Edited(waveform_T)
    from_end_T = np.minimum(np.arange(len(waveform_T)), np.arange(len(waveform_T))[::-1])
    return finished((waveform_T * np.minimum(1, from_end_T / samples)).astype(np.float32))
