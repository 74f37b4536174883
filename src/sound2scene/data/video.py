"""One frame or the sound of a video file, through PyAV (its wheel brings FFmpeg along).

Seconds count from the start of the file's presentation, which need not be timestamp 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from sound2scene.types import SAMPLE_RATE_HZ, InputError

_ROUNDING_S = 1e-4  # 3.3 s may be stored as 3.30001


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, float]]:
    """The container and the timestamp of its start in seconds; what FFmpeg refuses becomes an InputError."""
    try:
        # An absolute path: FFmpeg takes "a:b" for a protocol and "-" for standard input.
        with av.open(str(path.absolute()), "r") as container:
            yield container, (container.start_time or 0) / av.time_base
    except InputError:
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be decoded ({reason}); replace the file or leave it out") from error


def _frame(container: InputContainer, start_s: float, second: float, seek_s: float) -> VideoFrame | None:
    """Decode from the key frame before ``seek_s``; None where it lies past ``second`` or the video ends first."""
    tick_s = float((stream := container.streams.video[0]).time_base or 0)
    container.seek(round((max(0.0, seek_s) + start_s) / tick_s), stream=stream, backward=True)
    # The last frame stays on screen until the file ends; sound often ends after the pictures.
    found, end_s = None, (container.duration or 0) / av.time_base
    for frame in container.decode(stream):
        time_s = (frame.time or 0.0) - start_s
        if time_s > second + _ROUNDING_S:
            return found or (frame if seek_s <= 0 else None)
        found, end_s = frame, max(end_s, time_s + (frame.duration or 0) * tick_s)
    return found if second <= end_s + _ROUNDING_S else None


def frame_at(path: Path, second: float) -> NDArray[np.uint8]:
    """The frame on screen at ``second``: the last one whose presentation starts at or before it.

    Only the frames from the nearest key frame on are decoded. A second before the first frame gives the first frame.

    Returns:
        image_HWC: RGB, uint8.

    Raises:
        InputError: The file cannot be decoded, has no picture, or ends before ``second``.
    """
    with _opened(path) as (container, start_s):
        if not container.streams.video:
            raise InputError(f"{path}: has no picture; leave it out")
        # Some files seek past the wanted frame: those are decoded from the start.
        frame = _frame(container, start_s, second, second) or _frame(container, start_s, second, 0.0)
        if frame is None:
            raise InputError(f"{path}: has no frame at {second:.3f} s; choose a moment inside the video")
        return frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)


def sound(path: Path, sample_rate_hz: int = SAMPLE_RATE_HZ) -> NDArray[np.float32]:
    """The whole first sound track, its channels averaged, resampled.

    Returns:
        waveform_T: float32, nominally in [-1, 1], at ``sample_rate_hz``; sample 0 is the start of the presentation.

    Raises:
        InputError: The file cannot be decoded or has no sound.
    """
    with _opened(path) as (container, start_s):
        frames = list(container.decode(container.streams.audio[0])) if container.streams.audio else []
        if not frames:
            raise InputError(f"{path}: has no sound; leave it out")
        resampler = av.AudioResampler(format="fltp", rate=sample_rate_hz)
        # The mean of the channels: FFmpeg's own mix adds them at 0.707 and can leave [-1, 1].
        parts = [part.to_ndarray().mean(axis=0) for frame in [*frames, None] for part in resampler.resample(frame)]
        delay_s = (frames[0].time or 0.0) - start_s
    return np.pad(np.concatenate(parts).astype(np.float32), (max(0, round(delay_s * sample_rate_hz)), 0))
