"""What is known of a video at its moments: the words that decoding, localization and selection share.

A *step* is a tenth of a second, the rate at which the published annotation counts frames; step i is second i / 10 from
the start of the presentation. ``S`` in a name is the axis of a video's steps.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor

STEP_HZ = 10.0


class Moments(NamedTuple):
    """A decoded video.

    Attributes:
        key: Its name.
        second_S: Second of each step, float64, from 0.
        frames_SCHW: The frame on screen at each step, squeezed to the square that was asked for, uint8 RGB.
        waveform_T: The whole sound, 16 kHz mono, float32; sample 0 is second 0.
    """

    key: str
    second_S: Tensor
    frames_SCHW: Tensor
    waveform_T: Tensor


class Scored(NamedTuple):
    """How well picture and sound agree at each step of a video.

    Attributes:
        score_S: Higher is better, float32, finite.
        map_SHW: Where in the picture the sound comes from, float32, any scale and any number of cells; None where a
            scorer does not look at places.
    """

    score_S: Tensor
    map_SHW: Tensor | None = None


@runtime_checkable
class Scorer(Protocol):
    """Scores the moments of a video, one video at a time, without gradient.

    Attributes:
        side_px: Side of the square frames that it wants to see.
    """

    side_px: int

    def score(self, moments: Moments) -> Scored:
        """Score every step."""
        ...
