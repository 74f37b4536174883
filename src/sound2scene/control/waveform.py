"""What an edited sound becomes before it is heard: clipped and rounded to 16 bits, as in a file."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sound2scene import audio

_STEP = 1 / 32_768  # of 16 bits


class Edited(NamedTuple):
    """A sound as it is heard.

    Attributes:
        waveform_T: 16 kHz mono, float32 in [-1, 1].
        clipped: Share of its samples that the edit drove beyond full scale.
    """

    waveform_T: NDArray[np.float32]
    clipped: float = 0.0


def finished(waveform_T: NDArray[np.float32]) -> Edited:
    """A sound as a 16-bit file would hold it; the files of the published examples are such.

    A change of volume reaches the audio encoder through the clipping, through the quantisation, and through
    the floor of the spectrogram, so all of them have to be kept (paper, Figures 4, 5 and 7). What comes out
    is what a FLAC file of it holds, bit for bit.

    Args:
        waveform_T: 16 kHz mono, finite, of any size.
    """
    beyond_T = (waveform_T > 1 - _STEP / 2) | (waveform_T < -1 - _STEP / 2)
    rounded_T = audio.to_pcm16(waveform_T.astype(np.float32)).astype(np.float32) * np.float32(_STEP)
    return Edited(rounded_T, float(beyond_T.mean()))
