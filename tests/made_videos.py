"""Small videos that know their time: each frame's grey is its number, and a tone starts at a known second."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE_HZ = 44_100
TONE_S = 8.0


def grey(number: int) -> float:
    """Level of a frame, distinct from that of its neighbours by more than the codec errs."""
    return 40 + 4.0 * (number * 7 % 45)


def write_video(
    path: Path,
    seconds: float,
    rate: Fraction = Fraction(25),
    form: str = "mp4",
    pictures: bool = True,
    tone: bool = True,
    index_first: bool = False,
    tone_s: float = TONE_S,
) -> Path:
    """h264 of 96 x 64 pixels with a key frame every 2 s or so, and stereo AAC, silent up to `tone_s`."""
    options = {"movflags": "faststart"} if index_first else {}
    with av.open(str(path), "w", format=form, options=options) as container:
        if pictures:
            shown = container.add_stream(
                "libx264", rate=rate, options={"preset": "ultrafast", "crf": "18", "bf": "2"}
            )
            shown.width, shown.height, shown.pix_fmt = 96, 64, "yuv420p"
            shown.codec_context.gop_size, shown.codec_context.thread_count = 53, 1
        if tone:
            heard = container.add_stream("aac", rate=RATE_HZ, layout="stereo")
            time_T = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
            wave_T = np.where(time_T >= tone_s, 0.5 * np.sin(2 * np.pi * 1000 * time_T), 0).astype(np.float32)
            sound = av.AudioFrame.from_ndarray(np.stack([wave_T, wave_T]), format="fltp", layout="stereo")
            sound.sample_rate, sound.pts, sound.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        packets = []
        for number in range(int(seconds * rate) if pictures else 0):
            image_HW3 = np.full((64, 96, 3), grey(number), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(image_HW3, format="rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            packets += shown.encode(frame)
        packets += shown.encode(None) if pictures else []
        packets += [*heard.encode(sound), *heard.encode(None)] if tone else []
        container.mux(sorted(packets, key=lambda packet: packet.dts * packet.time_base))
    return path
