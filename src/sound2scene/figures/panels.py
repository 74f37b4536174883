"""The panels of which every grid of pictures is made."""

from __future__ import annotations

import torch
from matplotlib.axes import Axes
from torch import Tensor

from sound2scene import images
from sound2scene.data.shards.read import ShardDataset
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


def clip_name(shards: ShardDataset, position: int) -> str:
    """Class of a clip, or its key where it has none."""
    label = int(shards.label_N[position])
    return shards.classes[label] if label >= 0 else shards.key(position)


def show_picture(axes: Axes, shards: ShardDataset, position: int, frame: str | None = None) -> None:
    """A clip's picture, centre square, with a frame of that colour."""
    picture = images.decode_jpeg(shards.member(position, "jpg"), shards.where(position))
    axes.imshow(images.centre_square(picture).resize((SHOWN, SHOWN)))
    bare(axes, frame)


def show_pixels(axes: Axes, pixels_CHW: Tensor) -> None:
    """A uint8 picture."""
    axes.imshow(pixels_CHW.permute(1, 2, 0).numpy())
    bare(axes)


def show_sound(axes: Axes, shards: ShardDataset, position: int) -> None:
    """A clip's sound as its spectrogram."""
    show_waveform(axes, torch.from_numpy(shards.waveform(position)))


def show_waveform(axes: Axes, waveform_T: Tensor) -> None:
    """A sound as its spectrogram, low frequencies at the bottom."""
    axes.imshow(spectrogram("paper")(waveform_T[None])[0], origin="lower", aspect="auto", cmap="magma")
    bare(axes)


def bare(axes: Axes, frame: str | None = None) -> None:
    """No ticks, and a frame of that colour or none."""
    axes.set(xticks=[], yticks=[])
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set(visible=frame is not None, color=frame or "black", linewidth=3)
