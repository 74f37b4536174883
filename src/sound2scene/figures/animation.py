"""Pictures one after the other: those of a run, or of the steps of a change."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from sound2scene import files

Moving = Literal["gif", "mp4"]

FRAMES = 40
FRAME_MS, LAST_MS = 400, 2500
_VIDEO_MS = 100  # of a frame of a video, of which a picture fills several


def animate(pictures: Sequence[Path], path: str | os.PathLike[str]) -> int:
    """Write a GIF of pictures at half their size, without end, the last of them held.

    A GIF has 256 colours for each picture: smooth colours come in steps that the PNG files do not have.

    Of more than 40 pictures as many are taken, evenly, the first and the last among them. A picture that is
    of another size than the last one, or cannot be read, is left out.

    Args:
        pictures: PNG files in their order.
        path: The GIF.

    Returns:
        How many pictures it has; of less than two nothing is written.

    Raises:
        InputError: If it cannot be written.
    """
    frames: list[Image.Image] = []
    for picture in reversed(_thinned(pictures)):
        try:
            with Image.open(picture) as opened:
                frame = opened.convert("RGB").reduce(2)
        except (OSError, SyntaxError, ValueError):
            continue
        if not frames or frame.size == frames[0].size:
            frames.append(_in_256_colours(frame))
    frames.reverse()
    if len(frames) < 2:
        return 0
    write_moving(frames, len(frames), path, "gif")
    return len(frames)


def write_moving(
    frames: Iterable[Image.Image], count: int, path: str | os.PathLike[str], kind: Moving
) -> None:
    """Write pictures as a GIF without end or as an MP4 video (H.264), the last of them held.

    Args:
        frames: RGB pictures of one size; they are taken one after the other.
        count: How many there are, at least two.
        path: The file.
        kind: What it becomes; see :func:`animate` for the colours of a GIF.

    Raises:
        InputError: If it cannot be written.
    """
    times_ms = [FRAME_MS] * (count - 1) + [LAST_MS]
    with files.replacing(path) as partial:
        if kind == "mp4":
            _write_video(zip(frames, times_ms, strict=True), partial)
            return
        indexed = map(_in_256_colours, frames)
        first = next(indexed)
        first.save(partial, format="gif", save_all=True, append_images=indexed, duration=times_ms, loop=0)


def _in_256_colours(frame: Image.Image) -> Image.Image:
    if frame.mode == "P":
        return frame
    # Colours of its own for each frame, without the median cut, which greys what is colourful, and without
    # dither, which would look like a generator's noise.
    return frame.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def _write_video(timed: Iterator[tuple[Image.Image, int]], path: Path) -> None:
    import av

    with av.open(str(path), "w", format="mp4") as container:
        video = container.add_stream("libx264", Fraction(1000, _VIDEO_MS), options={"crf": "16"})
        video.pix_fmt = "yuv420p"  # the only one that every player shows; it needs even sides
        for frame, time_ms in timed:
            width, height = (side - side % 2 for side in frame.size)
            if not video.codec_context.is_open:
                video.width, video.height = width, height
            pixels_HWC = np.asarray(frame.crop((0, 0, width, height)))
            shown = av.VideoFrame.from_ndarray(pixels_HWC, format="rgb24")
            for _ in range(time_ms // _VIDEO_MS):
                container.mux(video.encode(shown))
        container.mux(video.encode())


def _thinned(pictures: Sequence[Path]) -> list[Path]:
    if len(pictures) <= FRAMES:
        return list(pictures)
    last = len(pictures) - 1
    return [pictures[round(number * last / (FRAMES - 1))] for number in range(FRAMES)]
