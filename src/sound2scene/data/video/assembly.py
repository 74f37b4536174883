"""Decoded frames put together: pictures at each step, and one waveform."""

from __future__ import annotations

import math
from typing import Any

import av
import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from sound2scene.moments import STEP_HZ
from sound2scene.types import SAMPLE_RATE_HZ

ROUNDING_S = 1e-4  # 3.3 s may be stored as 3.30001
_HOLE_S = 0.1  # in the timestamps of sound; what is shorter is rounding


def steps_before(second: float) -> int:
    """How many steps lie before a second."""
    return math.ceil((second - ROUNDING_S) * STEP_HZ)


def upright(image_HWC: NDArray[np.uint8], frame: VideoFrame) -> NDArray[np.uint8]:
    """The picture turned as the file asks for, to the nearest quarter."""
    return np.rot90(image_HWC, round(frame.rotation / 90))


class FrameAssembly:
    """The frames on screen at each step; of the others none is kept."""

    def __init__(self, side_px: int) -> None:
        self._side_px = side_px
        self._scaler = VideoReformatter()  # one for all: it is costly to set up
        self._shown: VideoFrame | None = None
        self._frames: list[NDArray[np.uint8]] = []

    def add(self, frame: VideoFrame, second: float) -> None:
        """The next frame; the first one also stands for the steps before it."""
        if self._shown:
            self.hold(second)
        self._shown = frame

    def hold(self, until_s: float) -> None:
        """Show the last frame at all steps before a second."""
        steps = steps_before(until_s) - len(self._frames)
        if steps > 0 and self._shown:
            square = self._scaler.reformat(
                self._shown, self._side_px, self._side_px, "rgb24", interpolation="BILINEAR", threads=1
            )
            self._frames += [upright(square.to_ndarray().astype(np.uint8, copy=False), self._shown)] * steps

    def stacked(self) -> NDArray[np.uint8]:
        """frames_SHWC, uint8 RGB."""
        return np.stack(self._frames)


class SoundAssembly:
    """Sound put together from its frames, mono, at the rate of each stretch of the track until that ends."""

    def __init__(self) -> None:
        self._form: tuple[int, str, str] | None = None
        self._end_s = 0.0
        self._stretch: list[NDArray[Any]] = []  # (channels, samples) of float32
        self._resampled: list[NDArray[np.float32]] = []

    def add(self, frame: AudioFrame, second: float) -> None:
        """The next frame; silence fills the time before the first one, and holes."""
        is_first, rate_hz = self._form is None, frame.sample_rate
        if (form := (rate_hz, frame.format.name, frame.layout.name)) != self._form:
            self._close()
            self._form, self._planar = form, av.AudioResampler(format="fltp")
        hole_s = second - self._end_s
        if hole_s > (0 if is_first else _HOLE_S):
            self._stretch.append(np.zeros((frame.layout.nb_channels, round(hole_s * rate_hz)), np.float32))
            self._end_s = second
        parts = [frame] if frame.format.name == "fltp" else self._planar.resample(frame)
        self._stretch += [part.to_ndarray() for part in parts]
        self._end_s += frame.samples / rate_hz

    def _close(self) -> None:
        if self._form:
            # The mean of the channels: FFmpeg's own mix adds them at 0.707 and can leave [-1, 1].
            mono_T = np.concatenate(self._stretch, axis=1).mean(axis=0, dtype=np.float32)
            self._resampled.append(soxr.resample(mono_T, self._form[0], SAMPLE_RATE_HZ, "HQ"))
        self._stretch = []

    def joined(self) -> NDArray[np.float32]:
        """waveform_T, 16 kHz."""
        self._close()
        return np.concatenate(self._resampled)
