"""Small videos for tests, written with PyAV's encoders."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

SIDE_PX = 64
RATE_HZ = 48_000
STEP = 8  # grey levels between two frames


def clip(
    path: Path,
    seconds: list[float],
    *,
    codec: str = "libx264",
    sound: str | None = "aac",
    sound_s: tuple[float, float] = (0.0, 0.0),
    loudness: float = 0.3,
    rate_hz: int = 10,
    options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    picture: np.ndarray | None = None,
) -> Path:
    """Frame i is grey level 8 * (i mod 30) and starts at seconds[i]; a 440 Hz tone from and to ``sound_s``.

    The tone lasts as long as the pictures where ``sound_s`` is not given; a missing encoder skips the test.
    """
    for name in filter(None, (codec, sound)):
        try:
            av.Codec(name, "w")
        except av.codec.codec.UnknownCodecError:
            pytest.skip(f"this PyAV has no encoder {name}")
    start_s, end_s = sound_s if any(sound_s) else (0.0, seconds[-1] + 1 / rate_hz)
    with av.open(str(path), "w", options=muxer or {}) as container:
        stream = container.add_stream(codec, rate=rate_hz, options=options or {})
        stream.width, stream.height, stream.pix_fmt = SIDE_PX, SIDE_PX, "yuv420p"
        stream.bit_rate = 2_000_000
        # AVI counts frames and knows no other time.
        stream.codec_context.time_base = tick = Fraction(1, rate_hz if path.suffix == ".avi" else 1000)
        experimental = {"strict": "-2"}  # FFmpeg's own Vorbis
        tones = (
            container.add_stream(sound, rate=RATE_HZ, layout="stereo", options=experimental)
            if sound
            else None
        )
        for index, second in enumerate(seconds):
            image_HWC = (
                np.full((SIDE_PX, SIDE_PX, 3), STEP * (index % 30), np.uint8) if picture is None else picture
            )
            frame = av.VideoFrame.from_ndarray(image_HWC, format="rgb24")
            frame.time_base, frame.pts = tick, round(second / tick)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if tones:
            t_T = np.arange(round((end_s - start_s) * RATE_HZ)) / RATE_HZ
            wave_CT = np.tile(loudness * np.sin(2 * np.pi * 440 * t_T), (2, 1)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(wave_CT, format="fltp", layout="stereo")
            frame.sample_rate, frame.time_base, frame.pts = (
                RATE_HZ,
                Fraction(1, RATE_HZ),
                round(start_s * RATE_HZ),
            )
            resampler = av.AudioResampler(
                format=tones.codec_context.format, frame_size=tones.codec_context.frame_size
            )
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                container.mux(tones.encode(part))
            container.mux(tones.encode(None))
    return path


def level(image_HWC: np.ndarray) -> int:
    """Number of the frame (mod 30) of :func:`clip`."""
    return round(float(image_HWC.mean()) / STEP)
