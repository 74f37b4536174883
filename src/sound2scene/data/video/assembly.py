"""Decoded frames put together: pictures at each step, each held once, and one waveform."""

from __future__ import annotations

import math

import av
import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from sound2scene.data.video.orientation import upright
from sound2scene.moments import STEP_HZ
from sound2scene.types import SAMPLE_RATE_HZ

ROUNDING_S = 1e-4  # 3.3 s may be stored as 3.30001
_HOLE_S = 0.1  # in the timestamps of sound; what is shorter is rounding
_LONG_S = 1.0  # from here on silence is held as its length
_BLOCK = 65_536  # samples that are filtered at once


def steps_before(second: float) -> int:
    """How many steps lie before a second."""
    return math.ceil((second - ROUNDING_S) * STEP_HZ)


class FrameAssembly:
    """The frames on screen at each step; those between are not kept, and what stays is kept once."""

    def __init__(self, side_px: int) -> None:
        self._side_px = side_px
        self._scaler = VideoReformatter()  # one for all: it is costly to set up
        self._shown: VideoFrame | None = None
        self._distinct: list[NDArray[np.uint8]] = []
        self._number_S: list[int] = []

    @property
    def held_bytes(self) -> int:
        """Memory that the pictures take."""
        return len(self._distinct) * 3 * self._side_px**2

    def add(self, frame: VideoFrame, second: float) -> None:
        """The next frame; the first one also stands for the steps before it."""
        if self._shown:
            self.hold(second)
        self._shown = frame

    def hold(self, until_s: float) -> None:
        """Show the last frame at all steps before a second."""
        steps = steps_before(until_s) - len(self._number_S)
        if steps > 0 and self._shown:
            square = self._scaler.reformat(
                self._shown, self._side_px, self._side_px, "rgb24", interpolation="BILINEAR", threads=1
            )
            image_HWC = upright(square.to_ndarray().astype(np.uint8, copy=False), self._shown)
            # A still picture goes on as frames of its own, which are the same.
            if not self._distinct or not np.array_equal(self._distinct[-1], image_HWC):
                self._distinct.append(image_HWC)
            self._number_S += [len(self._distinct) - 1] * steps

    def joined(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The distinct frames, frames_UHWC of uint8 RGB, in order, and which of them each step shows."""
        frames_UHWC = np.empty((len(self._distinct), self._side_px, self._side_px, 3), np.uint8)
        for number in reversed(range(len(self._distinct))):
            frames_UHWC[number] = self._distinct.pop()  # so that they are not all there twice
        return frames_UHWC, np.array(self._number_S, np.int64)


class SoundAssembly:
    """Sound put together from its frames, mono, at the rate of each stretch of the track until that ends.

    Only the 16 kHz of the result are held, and silence as its length.
    """

    def __init__(self) -> None:
        self._form: tuple[int, str, str] | None = None
        self._end_s = 0.0
        self._waiting: list[NDArray[np.float32]] = []  # mono, before the filter
        self._waiting_samples = 0
        self._done: list[NDArray[np.float32] | int] = []  # samples, or how many there are of silence
        self._done_samples = 0

    @property
    def held_bytes(self) -> int:
        """Memory that the sound will take when it is joined."""
        return 4 * (self._done_samples + self._waiting_samples)

    def add(self, frame: AudioFrame, second: float) -> None:
        """The next frame; silence fills the time before the first one, and holes."""
        is_first, rate_hz = self._form is None, frame.sample_rate
        if (form := (rate_hz, frame.format.name, frame.layout.name)) != self._form:
            self._begin(form)
        hole_s = second - self._end_s
        if hole_s > (0 if is_first else _HOLE_S):
            if hole_s > _LONG_S:
                self._begin(form)
                self._done.append(silence := round(hole_s * SAMPLE_RATE_HZ))
                self._done_samples += silence
            else:
                self._wait(np.zeros(round(hole_s * rate_hz), np.float32))
            self._end_s = second
        parts = [frame] if frame.format.name == "fltp" else self._planar.resample(frame)
        for part in parts:
            channels_CT = part.to_ndarray()
            # The mean of the channels: FFmpeg's own mix adds them at 0.707 and can leave [-1, 1].
            self._wait(
                channels_CT[0] if len(channels_CT) == 1 else channels_CT.mean(axis=0, dtype=np.float32)
            )
        self._end_s += frame.samples / rate_hz

    def _begin(self, form: tuple[int, str, str]) -> None:
        """A new stretch; the filter starts anew."""
        self._close()
        self._form, self._planar = form, av.AudioResampler(format="fltp")
        self._filter = soxr.ResampleStream(form[0], SAMPLE_RATE_HZ, 1, "float32", "HQ")

    def _wait(self, mono_T: NDArray[np.float32]) -> None:
        self._waiting.append(mono_T)
        self._waiting_samples += len(mono_T)
        if self._waiting_samples >= _BLOCK:
            self._resample(last=False)

    def _resample(self, last: bool) -> None:
        mono_T = np.concatenate(self._waiting) if self._waiting else np.zeros(0, np.float32)
        self._waiting, self._waiting_samples = [], 0
        self._done.append(samples_T := self._filter.resample_chunk(mono_T, last=last))
        self._done_samples += len(samples_T)

    def _close(self) -> None:
        if self._form:
            self._resample(last=True)

    def joined(self) -> NDArray[np.float32]:
        """waveform_T, 16 kHz."""
        self._close()
        waveform_T, first = np.zeros(self._done_samples, np.float32), 0
        for part in self._done:
            if isinstance(part, int):
                first += part
                continue
            waveform_T[first : first + len(part)] = part
            first += len(part)
        self._done, self._form = [], None
        return waveform_T
