"""Pictures beside what a generator draws of their inversions, and how the search for these went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from sound2scene.figures.curves import COLOURS
from sound2scene.figures.page import TICKS
from sound2scene.figures.panels import pixels_of
from sound2scene.figures.sheet import SIDE, Sheet


class ShownInversion(NamedTuple):
    """An inversion.

    Attributes:
        name: What to call it.
        psnr_T: Peak signal-to-noise ratio in dB before each step.
        pixels_3CHW: The picture, the first draw of its feature, and the inversion's; uint8.
        remarks: Words over the last two.
    """

    name: str
    psnr_T: Tensor
    pixels_3CHW: Tensor
    remarks: tuple[str, str]


def page_of_inversions(shown: Sequence[ShownInversion], about: str = "") -> Figure:
    """A row a picture: the course of the search, the picture, the first draw of its feature, the inversion's.

    Args:
        shown: What to show.
        about: What it rests on: steps, starts, seed.
    """
    sheet = Sheet(
        "Inversion: pictures, and what the generator draws of what was found for them",
        about,
        [SIDE] * 4,
        len(shown),
        captions=True,
        plots=True,
        foot=8,
    )
    lowest = min(float(one.psnr_T.min()) for one in shown)
    highest = max(float(one.psnr_T.max()) for one in shown)
    headings = ("search, best start", "picture", "its feature, first noise", "inversion")
    for column, words in enumerate(headings):
        sheet.heading(column, words)
    for row, one in enumerate(shown):
        sheet.name(row, one.name)
        axes = sheet.plot(row, 0, below=True)
        axes.plot(range(len(one.psnr_T)), one.psnr_T.numpy(), color=COLOURS[0], linewidth=1.2)
        axes.set_ylim(lowest - 1, highest + 1)
        axes.set_ylabel("PSNR in dB", fontsize=TICKS, labelpad=1)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.grid(alpha=0.3)
        if row == len(shown) - 1:
            axes.set_xlabel("step", fontsize=TICKS, labelpad=1)
        for column, pixels_CHW in enumerate(one.pixels_3CHW, 1):
            sheet.picture(row, column, pixels_of(pixels_CHW))
        for column, remark in enumerate(one.remarks, 2):
            sheet.caption(row, column, remark)
    return sheet.finish()
