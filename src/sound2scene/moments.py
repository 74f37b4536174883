"""The moments of a video: the types that decoding, localization and selection share.

A *step* is a tenth of a second, the rate at which the published annotation counts frames; step i is second `i
/ 10` from the start of the presentation. ``S`` in a name is the axis of a video's steps.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn.functional import pad

from sound2scene.types import SAMPLE_RATE_HZ

STEP_HZ = 10.0


class Moments(NamedTuple):
    """A decoded video.

    Attributes:
        key: Name of the video.
        second_S: Second of each step, float64, from 0.
        frames_SCHW: Frame on screen at each step, uint8 RGB, squeezed to a square of the side that was asked
            for.
        waveform_T: Whole sound of the video, 16 kHz mono, float32; sample 0 is second 0.
    """

    key: str
    second_S: Tensor
    frames_SCHW: Tensor
    waveform_T: Tensor


class Scored(NamedTuple):
    """How well picture and sound agree at each step of a video.

    Attributes:
        score_S: Score of each step, float32, finite; higher is better.
        map_SHW: Map of where in the picture the sound comes from, float32, of any scale and any number of
            cells; None if a scorer does not look at places.
    """

    score_S: Tensor
    map_SHW: Tensor | None = None


class Known(NamedTuple):
    """The truth about a video, known from elsewhere: to measure a localizer, never to train one.

    Attributes:
        interval_s: First and last second at which the source is both heard and seen.
        boxes: Boxes (x0, y0, x1, y1) around the source, in shares of the picture.
        box_s: Second of the frame in which the boxes were drawn.
    """

    interval_s: tuple[float, float] | None = None
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    box_s: float | None = None


class Drawn(NamedTuple):
    """A batch of moments drawn at random from videos, for training.

    Attributes:
        key: Names of the B videos.
        label_B: Class of each video, int64, -1 if it has none.
        frames_BMCHW: M frames of each video, uint8.
        window_BMT: Sound around each frame, 16 kHz mono.
        rejected: Pairs (key, kind) of videos that could not be read and were replaced by others.
    """

    key: list[str]
    label_B: Tensor
    frames_BMCHW: Tensor
    window_BMT: Tensor
    rejected: list[tuple[str, str]]


class Watched(NamedTuple):
    """A whole video on which a localizer is measured; `moments` is None if it cannot be read."""

    moments: Moments | None
    known: Known
    label: int
    rejected: list[tuple[str, str]]


@runtime_checkable
class Scorer(Protocol):
    """Scores the moments of a video, one video at a time, without gradient.

    Attributes:
        side_px: Side of the square frames that it takes.
    """

    side_px: int

    def score(self, moments: Moments) -> Scored:
        """Score every step."""
        ...


def windows(waveform_T: Tensor, second_S: Tensor, window_s: float) -> Tensor:
    """The sound around each second, (S, window_s * 16,000), with silence beyond both ends."""
    samples = round(window_s * SAMPLE_RATE_HZ)
    # First sample of each window in the padded sound, whose sample `samples // 2` is second 0.
    first_S = (second_S * SAMPLE_RATE_HZ).round().long()
    needed = int(first_S.max()) + samples if len(first_S) else samples
    padded_T = pad(waveform_T, (samples // 2, max(0, needed - samples // 2 - len(waveform_T))))
    return torch.stack([padded_T[first : first + samples] for first in first_S.tolist()])
