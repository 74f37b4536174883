"""Small videos with sound whose every second can be told apart, in picture and in sound."""

from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np

from sound2scene.types import SAMPLE_RATE_HZ

STEP = 0.02  # amplitude per second: the sound in second s is the constant (s + 1) * STEP
GREY = 7  # grey levels per second


def sounding(second: int) -> float:
    return (second + 1) * STEP


def write_video(
    path: Path,
    seconds: float = 2.5,
    sound: Literal["steps", "silent"] | None = "steps",
    size: tuple[int, int] = (64, 48),
    quiet_from_s: float = 1e9,
) -> Path:
    """A picture of one grey and a sound of one level in each second, in Matroska whatever the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path.absolute()), "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "1", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        tones = (
            None if sound is None else container.add_stream("pcm_s16le", rate=SAMPLE_RATE_HZ, layout="mono")
        )
        for index in range(round(seconds * 10)):
            grey_HWC = np.full((size[1], size[0], 3), GREY * (index // 10), np.uint8)
            frame = av.VideoFrame.from_ndarray(grey_HWC, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if tones is not None:
            second_T = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
            level_T = (np.floor(second_T) + 1) * STEP * (second_T < quiet_from_s) * (sound == "steps")
            samples_CT = np.rint(level_T * 32767).astype(np.int16)[None]
            part = av.AudioFrame.from_ndarray(samples_CT, format="s16", layout="mono")
            part.sample_rate, part.pts, part.time_base = SAMPLE_RATE_HZ, 0, Fraction(1, SAMPLE_RATE_HZ)
            container.mux(tones.encode(part))
            container.mux(tones.encode(None))
    return path
