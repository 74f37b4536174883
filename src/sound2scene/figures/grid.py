"""A grid of what a generator draws, beside what it was drawn from."""

from __future__ import annotations

from matplotlib.figure import Figure
from torch import Tensor

from sound2scene.figures.panels import clip_name, picture_of, pixels_of, sound_of
from sound2scene.figures.sheet import SIDE, Sheet, bottom_of_scale
from sound2scene.protocols import Pictures, Sounds


def draw_grid(
    split: Pictures, shown: list[int], drawn_BJCHW: Tensor, sounds: bool, about: str = ""
) -> Figure:
    """A row a clip: its kind, its sound if asked for, its picture, and generated ones.

    Args:
        split: The clips.
        shown: Positions of the B clips.
        drawn_BJCHW: J pictures for each clip, uint8.
        sounds: Show the sounds as spectrograms.
        about: What it rests on: step, seeds, truncation.
    """
    heard = split if sounds and isinstance(split, Sounds) else None
    real = 1 if heard else 0
    draws = drawn_BJCHW.shape[1]
    sheet = Sheet(
        f"Pictures generated from {'sounds' if heard else 'features of pictures'}",
        ", ".join(part for part in (f"clips of the split {split.split}", about) if part),
        [SIDE] * (real + 1 + draws),
        len(shown),
        plots=heard is not None,
        foot=bottom_of_scale() if heard else 0,
    )
    for column, words in enumerate([*(["sound"] if heard else []), "real"]):
        sheet.heading(column, words)
    for draw in range(draws):
        sheet.heading(real + 1 + draw, f"generated, draw {draw}")
    for row, position in enumerate(shown):
        sheet.name(row, clip_name(split, position))
        if heard:
            sheet.sound(row, 0, sound_of(heard, position))
        sheet.picture(row, real, picture_of(split, position))
        for draw, pixels_CHW in enumerate(drawn_BJCHW[row]):
            sheet.picture(row, real + 1 + draw, pixels_of(pixels_CHW))
    return sheet.finish()
