"""A grid of what a generator draws, beside what it was drawn from."""

from __future__ import annotations

from matplotlib.figure import Figure
from torch import Tensor

from sound2scene.figures.panels import clip_name, show_picture, show_pixels, show_sound
from sound2scene.figures.words import write_side
from sound2scene.protocols import Pictures, Sounds


def draw_grid(split: Pictures, shown: list[int], drawn_BJCHW: Tensor, sounds: bool) -> Figure:
    """A row a clip: its kind, its sound if asked for, its picture, and generated ones.

    Args:
        split: The clips.
        shown: Positions of the B clips.
        drawn_BJCHW: J pictures for each clip, uint8.
        sounds: Show the sounds as spectrograms.
    """
    first = 2 if sounds else 1
    figure = Figure(figsize=(1.6 * (first + drawn_BJCHW.shape[1]), 1.75 * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), first + drawn_BJCHW.shape[1], squeeze=False)
    for row, position in zip(grid, shown, strict=True):
        if sounds and isinstance(split, Sounds):
            show_sound(row[0], split, position)
        show_picture(row[first - 1], split, position)
        write_side(row[0], clip_name(split, position))
    for row, drawn_JCHW in zip(grid, drawn_BJCHW, strict=True):
        for axes, pixels_CHW in zip(row[first:], drawn_JCHW, strict=True):
            show_pixels(axes, pixels_CHW)
    for axes, title in zip(grid[0], [*(["sound"] if sounds else []), "real", "generated"], strict=False):
        axes.set_title(title, fontsize=9)
    return figure
