"""What visitors may hand in: files of a bounded size and length, which is checked before they are decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

from sound2scene import audio, images
from sound2scene.control.picture_encoder import read_picture
from sound2scene.regular import open_regular
from sound2scene.types import InputError

LARGEST_BYTES = 32 * 2**20
LONGEST_S = 600.0
MOST_PIXELS = 40_000_000


def read_sound(path: str | Path) -> NDArray[np.float32]:
    """A visitor's sound as `audio.load` reads it.

    Args:
        path: Its file; messages call it by its name alone, as the visitor knows it.

    Raises:
        InputError: If it is too large or too long, or cannot be read.
    """
    with _by_name(path):
        with _opened(path) as stream:
            seconds = _seconds(stream)
        if seconds > LONGEST_S:
            raise InputError(
                f"{path}: lasts {seconds:.0f} s, more than {LONGEST_S:.0f} s; cut out the part to draw"
            )
        return audio.load(path)


def read_image(path: str | Path) -> Image.Image:
    """A visitor's picture, RGB.

    Args:
        path: Its file.

    Raises:
        InputError: If it is too large, in bytes or in pixels, or cannot be read.
    """
    with _by_name(path):
        with _opened(path) as stream:
            width, height = _size(stream)
        if width * height > MOST_PIXELS:
            raise InputError(
                f"{path}: has {width} x {height} pixels, more than {MOST_PIXELS / 1e6:.0f} million; "
                "make it smaller"
            )
        return read_picture(path)


@contextmanager
def _opened(path: str | Path) -> Iterator[BinaryIO]:
    try:
        stream = open_regular(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror}); upload it again") from None
    with stream:
        if (size := stream.seek(0, 2)) > LARGEST_BYTES:
            raise InputError(
                f"{path}: has {size / 2**20:.0f} MiB, more than {LARGEST_BYTES / 2**20:.0f} MiB; "
                "give a smaller file"
            )
        stream.seek(0)
        yield stream


def _seconds(stream: BinaryIO) -> float:
    """What the header says of the length; 0 where it says nothing, as no more than a clip is decoded."""
    try:
        return float(soundfile.info(stream).duration)
    except (soundfile.LibsndfileError, TypeError):  # TypeError: a .raw file, which states no rate
        stream.seek(0)
    try:
        with av.open(stream, "r", options={"protocol_whitelist": ""}, metadata_errors="ignore") as container:
            return (container.duration or 0) / av.time_base
    except (av.FFmpegError, ValueError):
        return 0.0


def _size(stream: BinaryIO) -> tuple[int, int]:
    """Width and height by the header; 0 where there is none, which the reader then says better."""
    try:
        with Image.open(stream, formats=images.FORMATS) as picture:
            return picture.size
    except Image.DecompressionBombError:
        return 0, 0  # the reader refuses it, too, and says so
    except (OSError, SyntaxError, ValueError, EOFError):
        return 0, 0


@contextmanager
def _by_name(path: str | Path) -> Iterator[None]:
    """Say the name of a file where a message would say the path of the upload."""
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace(str(path), Path(path).name)) from None
