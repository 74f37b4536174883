"""The panels of which every grid of pictures is made."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from sound2scene import files, images
from sound2scene.protocols import Pictures, Sounds
from sound2scene.spectrogram import spectrogram

SHOWN = 128


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


def show_picture(axes: Axes, split: Pictures, position: int, frame: str | None = None) -> None:
    """A clip's picture, centre square, with a frame of that colour."""
    picture = images.decode_jpeg(split.member(position, "jpg"), split.where(position))
    axes.imshow(images.centre_square(picture).resize((SHOWN, SHOWN)))
    bare(axes, frame)


def show_pixels(axes: Axes, pixels_CHW: Tensor) -> None:
    """A uint8 picture."""
    axes.imshow(pixels_CHW.permute(1, 2, 0).numpy())
    bare(axes)


def show_sound(axes: Axes, split: Sounds, position: int) -> None:
    """A clip's sound as its spectrogram."""
    show_waveform(axes, torch.from_numpy(split.waveform(position)))


def show_waveform(axes: Axes, waveform_T: Tensor) -> None:
    """A sound as its spectrogram, low frequencies at the bottom."""
    axes.imshow(spectrogram("paper")(waveform_T[None])[0], origin="lower", aspect="auto", cmap="magma")
    bare(axes)


def bare(axes: Axes, frame: str | None = None) -> None:
    """No ticks, and a frame of that colour or none."""
    axes.set(xticks=[], yticks=[])
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set(visible=frame is not None, color=frame or "black", linewidth=3)


def save(figure: Figure, path: str | os.PathLike[str], dpi: int = 80) -> None:
    """Write a figure as PNG, whole or not at all; its folder is made if missing."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as partial, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # names come in all scripts
        figure.savefig(partial, format="png", dpi=dpi)
