"""The moments of a video: the types that decoding, localization and selection share.

A *step* is a tenth of a second, the rate at which the published annotation counts frames; step i lies i
tenths of a second after the start of the presentation. ``S`` in a name is the axis of a video's steps, ``U``
that of the distinct frames which they show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypedDict, runtime_checkable

from torch import Tensor

from sound2scene.records import Record
from sound2scene.types import SAMPLE_RATE_HZ, InputError

STEP_HZ = 10.0


LARGEST_BYTES = 2**31  # of frames that are repeated for each step; a scorer can look at the distinct ones


class TooManyFramesError(InputError):
    """The frames at every step of a video would take too much memory at once."""

    kind = "too_large"


class Moments(NamedTuple):
    """A decoded video.

    Attributes:
        key: Name of the video.
        second_S: Second of each step, float64, from 0.
        frames_UCHW: The U distinct frames, in order, uint8 RGB, squeezed to a square of the side that was
            asked for.
        waveform_T: Whole sound of the video, 16 kHz mono, float32; sample 0 is second 0.
        shown_S: Which of the distinct frames is on screen at each step, int64; None where each step has its
            own.
    """

    key: str
    second_S: Tensor
    frames_UCHW: Tensor
    waveform_T: Tensor
    shown_S: Tensor | None = None

    @property
    def frames_SCHW(self) -> Tensor:  # noqa: N802 (it ends in its axes)
        """Frame on screen at each step: those that stay take memory at every one.

        Raises:
            TooManyFramesError: If they take more than `LARGEST_BYTES`.
        """
        needed_bytes = len(self.second_S) * self.frames_UCHW[:1].nbytes
        if needed_bytes > LARGEST_BYTES:
            raise TooManyFramesError(
                f"{self.key}: its frames at {len(self.second_S)} steps take {needed_bytes / 2**20:.0f} MiB; "
                "cut it into parts, or let the scorer look at frames_UCHW and shown_S"
            )
        return self.frames_UCHW if self.shown_S is None else self.frames_UCHW[self.shown_S]

    def frames_at(self, step_M: Tensor) -> Tensor:
        """Frames on screen at M steps, (M, C, H, W)."""
        return self.frames_UCHW[step_M if self.shown_S is None else self.shown_S[step_M]]


class Scored(NamedTuple):
    """How well picture and sound agree at each step of a video.

    Attributes:
        score_S: Score of each step, float32, finite; higher is better.
        map_SHW: Map of where in the picture the sound comes from, float32, of any scale and any number of
            cells; None if a scorer does not look at places.
        spread: Brings maps of cells, (N, h, w), to maps of pixels; None where the cells of `map_SHW` lie side
            by side as pixels do. Maps of every step as large as the frame would take more memory than those.
    """

    score_S: Tensor
    map_SHW: Tensor | None = None
    spread: Callable[[Tensor], Tensor] | None = None

    def map_at(self, step: int) -> Tensor | None:
        """Map of one step, (H, W), spread; None without maps."""
        if self.map_SHW is None:
            return None
        return self.map_SHW[step] if self.spread is None else self.spread(self.map_SHW[step : step + 1])[0]


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


class MomentBatch(NamedTuple):
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


class WholeVideo(NamedTuple):
    """A whole video on which a localizer is measured.

    Attributes:
        moments: Decoded video; None if it cannot be read.
        known: Truth about the video.
        label: Class of the video, -1 if it has none.
        rejected: Pair (key, kind), once, if the video cannot be read.
    """

    moments: Moments | None
    known: Known
    label: int
    rejected: list[tuple[str, str]]


class Refused(NamedTuple):
    """A video that cannot be scored.

    Attributes:
        kind: Kind of the error in one word: `silent`, `no_video` ... (see `data.video`).
        reason: Error message of one line.
    """

    kind: str
    reason: str


@dataclass(frozen=True)
class Choice:
    """The best moments of a video.

    Attributes:
        moments_s: Moments in seconds, best first; at least one.
        scores: Scores of the moments, in their order; none if they are not known (the published annotation).
        duration_s: Length of the video in seconds.
    """

    moments_s: tuple[float, ...]
    scores: tuple[float, ...]
    duration_s: float

    def as_json(self) -> dict[str, Any]:
        """Plain data, rounded to a microsecond and a millionth."""
        moments, scores = (
            [round(value, 6) + 0.0 for value in values] for values in (self.moments_s, self.scores)
        )
        return {"moments_s": moments, "scores": scores, "duration_s": round(self.duration_s, 6)}

    @classmethod
    def from_json(cls, value: Any, name: str) -> Choice:
        """The inverse of `as_json`.

        Args:
            value: Decoded JSON.
            name: Name of the choice in an error message.

        Raises:
            InputError: If the value is not one that `as_json` gives.
        """
        found = _CHOICE.convert(value, name)
        moments, scores, duration_s = found["moments_s"], found["scores"], found["duration_s"]
        if not all(abs(number) < 1e9 for number in (*moments, *scores, duration_s)):
            raise InputError(f"{name}: moments_s, scores and duration_s must be below 1e9; select again")
        if not moments or min(moments) < 0 or len(scores) not in (0, len(moments)):
            raise InputError(
                f"{name}: needs a moment, none before second 0, and no score or one for each; select again"
            )
        return cls(moments, scores, duration_s)


class _ChoiceJson(TypedDict):
    moments_s: tuple[float, ...]
    scores: tuple[float, ...]
    duration_s: float


_CHOICE = Record(_ChoiceJson, "select again")


class Footage(NamedTuple):
    """A video to choose from, or why there is none.

    Attributes:
        key: Name of the video.
        found: Decoded video, or the reason why it cannot be used.
        duration_s: Length of the video in seconds; 0 if it cannot be used.
    """

    key: str
    found: Moments | Refused
    duration_s: float


@runtime_checkable
class Scorer(Protocol):
    """Scores the moments of a video, one video at a time, without gradient.

    A scorer may look at the frame of every step (`Moments.frames_SCHW`), or once at each distinct one.

    Attributes:
        side_px: Side of the square frames that it takes.
    """

    side_px: int

    def score(self, moments: Moments) -> Scored:
        """Score every step."""
        ...


def first_samples(second_S: Tensor, window_s: float) -> Tensor:
    """Where the window of sound around each second begins, in samples, int64; below 0 near the start."""
    return (second_S * SAMPLE_RATE_HZ).round().long() - round(window_s * SAMPLE_RATE_HZ) // 2


def windows(waveform_T: Tensor, second_S: Tensor, window_s: float) -> Tensor:
    """The sound around each second, (S, window_s * 16,000), with silence beyond both ends."""
    samples = round(window_s * SAMPLE_RATE_HZ)
    window_ST = waveform_T.new_zeros(len(second_S), samples)
    first_S = first_samples(second_S, window_s)
    for window_T, first in zip(window_ST, first_S.tolist(), strict=True):
        heard_T = waveform_T[max(0, first) : max(0, first + samples)]
        window_T[max(0, -first) :][: len(heard_T)] = heard_T
    return window_ST
