"""What methods draw of the same sounds, beside the real pictures: rows of sounds, columns of methods."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from torch import Tensor

from sound2scene.figures.panels import clip_name, picture_of, pixels_of, sound_of
from sound2scene.figures.sheet import SIDE, Sheet, bottom_of_scale
from sound2scene.protocols import Sounds


def draw_methods(split: Sounds, columns: Mapping[str, Mapping[int, Tensor]], about: str) -> Figure:
    """A row a clip: its kind, its sound, its picture, and one picture by each method.

    Args:
        split: The clips.
        columns: By method, its picture of each shown clip by position, uint8 (3, H, W).
        about: What it rests on: protocol, seed.
    """
    shown = sorted({position for column in columns.values() for position in column})
    sheet = Sheet(
        "Pictures of the same sounds by several methods",
        f"clips of the split {split.split}, {about}",
        [SIDE] * (2 + len(columns)),
        len(shown),
        plots=True,
        foot=bottom_of_scale(),
    )
    for column, words in enumerate(["sound", "real", *columns]):
        sheet.heading(column, words)
    for row, position in enumerate(shown):
        sheet.name(row, clip_name(split, position))
        sheet.sound(row, 0, sound_of(split, position))
        sheet.picture(row, 1, picture_of(split, position))
        for column, pictures in enumerate(columns.values()):
            if position in pictures:
                sheet.picture(row, 2 + column, pixels_of(pictures[position]))
    return sheet.finish()
