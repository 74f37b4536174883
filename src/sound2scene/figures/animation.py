"""Pictures of a run one after the other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from sound2scene import files

FRAMES = 40
FRAME_MS, LAST_MS = 400, 2500


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
            # Colours of its own for each frame, without the median cut, which greys what is colourful, and
            # without dither, which would look like a generator's noise.
            frames.append(frame.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE))
    frames.reverse()
    if len(frames) < 2:
        return 0
    times_ms = [FRAME_MS] * (len(frames) - 1) + [LAST_MS]
    with files.replacing(path) as partial:
        frames[0].save(
            partial, format="gif", save_all=True, append_images=frames[1:], duration=times_ms, loop=0
        )
    return len(frames)


def _thinned(pictures: Sequence[Path]) -> list[Path]:
    if len(pictures) <= FRAMES:
        return list(pictures)
    last = len(pictures) - 1
    return [pictures[round(number * last / (FRAMES - 1))] for number in range(FRAMES)]
