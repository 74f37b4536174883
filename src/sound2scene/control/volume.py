"""Louder is bigger: one sound at several gains (paper, Figure 5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sound2scene import audio, ranges
from sound2scene.control.waveform import Edited, finished

GAINS_DB = ranges.Range(between=(-120, 120))


def at_gain(waveform_T: NDArray[np.float32], gain_db: float) -> Edited:
    """A sound at a gain, saturated at full scale and rounded to 16 bits, as the published examples are.

    At 0 dB the sound itself comes back, bit for bit, even if it was not made of 16 bits.

    Args:
        waveform_T: 16 kHz mono in [-1, 1].
        gain_db: Gain in dB, -120 to 120.

    Raises:
        InputError: If the gain is NaN or out of that range.
    """
    ranges.check("volume", GAINS_DB, gain_db=gain_db)
    return finished(waveform_T * audio.factor(gain_db)) if gain_db else Edited(waveform_T)
