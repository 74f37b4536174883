"""Pictures and what becomes of them as their latents move."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from sound2scene.figures.panels import pixels_of
from sound2scene.figures.sheet import SIDE, Sheet
from sound2scene.figures.steps import ShownRow

_MOST_PANELS = 150  # of full size; more make a picture that few programs open


def page_of_edits(rows: Sequence[ShownRow], title: str, axis: str, about: str = "") -> Figure:
    """A row a picture: the picture itself, then the first draw of each step.

    Args:
        rows: What to show; the first step of each holds its picture.
        title: What the page shows.
        axis: What changes from left to right.
        about: What it rests on.
    """
    steps = max(len(row.steps) for row in rows)
    side = SIDE if (steps + 1) * len(rows) <= _MOST_PANELS else SIDE // 2
    sheet = Sheet(title, about, [side] * (1 + steps), len(rows), side, captions=True)
    sheet.heading(0, "picture")
    sheet.heading(1, f"{axis} →", until=steps)
    for number, row in enumerate(rows):
        sheet.name(number, row.name)
        picture_HWC = row.steps[0].picture_HWC
        assert picture_HWC is not None
        sheet.picture(number, 0, picture_HWC)
        for column, step in enumerate(row.steps, 1):
            sheet.caption(number, column, step.label)
            sheet.picture(number, column, pixels_of(step.pixels_JCHW[0]))
    return sheet.finish()
