"""What every sheet shows of clips, and how figures and pictures are written."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sound2scene import files, images
from sound2scene.figures.page import DPI
from sound2scene.figures.sheet import SIDE
from sound2scene.protocols import Pictures, Sounds

Format = Literal["png", "pdf", "svg"]
_PACKED: dict[str, Any] = {"pil_kwargs": {"compress_level": 3}}  # faster than 6, hardly larger


def spread(label_N: Tensor, count: int) -> list[int]:
    """Up to `count` positions that take turns through the classes, the same ones for the same labels."""
    turns: dict[int, int] = {}
    keyed = []
    for position, label in enumerate(label_N.tolist()):
        turns[label] = turns.get(label, -1) + 1
        keyed.append((turns[label], label, position))
    return [position for _, _, position in sorted(keyed)[:count]]


def clip_name(split: Pictures, position: int) -> str:
    """Class of a clip, or its key where it has none."""
    label = int(split.label_N[position])
    return split.classes[label] if label >= 0 else split.key(position)


def picture_of(split: Pictures, position: int) -> NDArray[np.uint8]:
    """A clip's picture, its centred square, (H, W, 3); see :func:`reduced`."""
    picture = images.decode_jpeg(split.member(position, "jpg"), split.where(position))
    return reduced(images.centre_square(picture))


def reduced(picture: Image.Image) -> NDArray[np.uint8]:
    """A picture as a panel shows it: made smaller where it has more pixels than that, never larger."""
    if max(picture.size) > SIDE:
        scale = SIDE / max(picture.size)
        width, height = (max(1, round(side * scale)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    return np.array(picture)


def pixels_of(pixels_CHW: Tensor) -> NDArray[np.uint8]:
    """A uint8 picture, (H, W, 3)."""
    shown: NDArray[np.uint8] = pixels_CHW.permute(1, 2, 0).numpy()
    return shown


def sound_of(split: Sounds, position: int) -> Tensor:
    """A clip's sound, (T,)."""
    return torch.from_numpy(split.waveform(position))


def save(
    figure: Figure, path: str | os.PathLike[str], formats: Iterable[Format] = (), dpi: int = DPI
) -> None:
    """Write a figure as PNG, whole or not at all; its folder is made if missing.

    Args:
        figure: The figure.
        path: Its file.
        formats: In what else to write it, beside that file.
        dpi: Dots per inch.

    Raises:
        InputError: If it cannot be written.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    places: dict[Format, Path] = {"png": Path(path)}
    places |= {name: Path(path).with_suffix(f".{name}") for name in formats if name != "png"}
    for name, place in places.items():
        with files.replacing(place) as partial, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")  # names come in all scripts
            # Backends for other formats take no settings of Pillow.
            settings = _PACKED if name == "png" else {}
            figure.savefig(partial, format=name, dpi=dpi, **settings)


def save_picture(picture: Image.Image, path: str | os.PathLike[str]) -> None:
    """Write a picture as PNG, whole or not at all; its folder is made if missing.

    Raises:
        InputError: If it cannot be written.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as partial:
        picture.save(partial, format="png")
