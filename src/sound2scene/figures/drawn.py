"""Sounds with the pictures that were drawn of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure
from torch import Tensor

from sound2scene.figures.panels import show_pixels, show_waveform
from sound2scene.figures.words import write_side


class DrawnSound(NamedTuple):
    """One sound and its pictures.

    Attributes:
        name: What to call it.
        waveform_T: The sound as the encoder heard it, 16 kHz mono.
        pixels_JCHW: Its pictures, uint8.
    """

    name: str
    waveform_T: Tensor
    pixels_JCHW: Tensor


def grid_of_sounds(sounds: Sequence[DrawnSound], about: str = "") -> Figure:
    """A row a sound: its spectrogram, then its pictures, of which each has as many as the first.

    Args:
        sounds: What to show.
        about: What it rests on, for the title.
    """
    draws = len(sounds[0].pixels_JCHW)
    figure = Figure(figsize=(1.6 * (draws + 1), 1.75 * len(sounds)), layout="constrained")
    if about:
        figure.suptitle(about, fontsize=9, parse_math=False)
    grid = figure.subplots(len(sounds), draws + 1, squeeze=False)
    for row, sound in zip(grid, sounds, strict=True):
        show_waveform(row[0], sound.waveform_T)
        write_side(row[0], sound.name)
        for axes, pixels_CHW in zip(row[1:], sound.pixels_JCHW, strict=True):
            show_pixels(axes, pixels_CHW)
    return figure
