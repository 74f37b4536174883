"""What becomes of pictures step by step, as what they are drawn from changes: a column a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from sound2scene.figures.panels import pixels_of
from sound2scene.figures.sheet import SIDE, Sheet, bottom_of_scale
from sound2scene.figures.words import plain

_MOST_PANELS = 150  # of full size; more make a picture that few programs open
_FRAME_PX, _FRAME_GAP_PX, _FRAME_WORDS_PX = 256, 8, 40


class ShownStep(NamedTuple):
    """One step of a change.

    Attributes:
        label: Where the change stands, such as `4 dB`.
        pixels_JCHW: Pictures of this step, uint8.
        waveform_T: The sound that they are drawn from, 16 kHz mono; None where there is none to show.
        picture_HWC: The picture that they are drawn from, uint8; None where there is none to show.
    """

    label: str
    pixels_JCHW: Tensor
    waveform_T: Tensor | None = None
    picture_HWC: NDArray[np.uint8] | None = None

    @property
    def has_source(self) -> bool:
        """Whether there is something to show above the pictures."""
        return self.waveform_T is not None or self.picture_HWC is not None


class ShownRow(NamedTuple):
    """Steps that belong together, such as the gains of one sound; `name` says what they are steps of."""

    name: str
    steps: Sequence[ShownStep]


def page_of_steps(rows: Sequence[ShownRow], title: str, axis: str, about: str = "") -> Figure:
    """For each row what its steps are drawn from, where there is something, and below it a line a draw.

    Args:
        rows: What to show; all steps have as many pictures.
        title: What the page shows.
        axis: What changes from left to right, with its unit.
        about: What it rests on, such as :func:`sound2scene.figures.words.noise_words`.
    """
    columns = max(len(row.steps) for row in rows)
    draws = len(rows[0].steps[0].pixels_JCHW)
    head = int(any(step.has_source for row in rows for step in row.steps))
    heard = any(step.waveform_T is not None for row in rows for step in row.steps)
    lines = len(rows) * (head + draws)
    side = SIDE if columns * lines <= _MOST_PANELS else SIDE // 2
    foot = bottom_of_scale() if heard else 0
    sheet = Sheet(title, about, [side] * columns, lines, side, captions=True, plots=heard, foot=foot)
    sheet.heading(0, f"{axis} →", until=columns - 1)
    for number, row in enumerate(rows):
        first = number * (head + draws)
        names = [f"draw {draw}" for draw in range(draws)]
        # Where nothing stands above the draws, their first line carries the row's name, too.
        names = [row.name, *names] if head else [f"{names[0]}, {row.name}", *names[1:]]
        for line, name in enumerate(names, first):
            sheet.name(line, name)
        for column, step in enumerate(row.steps):
            _show(sheet, first, head, column, step)
    return sheet.finish()


def _show(sheet: Sheet, first: int, head: int, column: int, step: ShownStep) -> None:
    sheet.caption(first if step.has_source else first + head, column, step.label)
    if step.waveform_T is not None:
        sheet.sound(first, column, step.waveform_T, below=True)
    if step.picture_HWC is not None:
        sheet.picture(first, column, step.picture_HWC)
    for draw, pixels_CHW in enumerate(step.pixels_JCHW):
        sheet.picture(first + head + draw, column, pixels_of(pixels_CHW))


def frame_of_step(label: str, pictures: Sequence[Image.Image]) -> Image.Image:
    """A frame of an animation: pictures of one size side by side, small ones made larger, under words."""
    times = max(1, _FRAME_PX // pictures[0].width)
    width, height = (times * side for side in pictures[0].size)
    frame = Image.new(
        "RGB",
        (len(pictures) * (width + _FRAME_GAP_PX) + _FRAME_GAP_PX, height + _FRAME_WORDS_PX + _FRAME_GAP_PX),
        "white",
    )
    for number, picture in enumerate(pictures):
        left = _FRAME_GAP_PX + number * (width + _FRAME_GAP_PX)
        shown = picture.resize((width, height), Image.Resampling.NEAREST)
        frame.paste(shown, (left, _FRAME_WORDS_PX))
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 20)
    ImageDraw.Draw(frame).text((_FRAME_GAP_PX, 8), plain(label), "black", font)
    return frame
