"""A sheet: rows and columns of pictures and sounds under one title, with one colour scale for all sounds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from sound2scene.figures.page import EDGE, SMALL, TICKS, Box, Heading, Page, dots, fitting
from sound2scene.figures.words import LETTERS, drawable
from sound2scene.spectrogram import DENSITY_FLOOR, PaperSpectrogram
from sound2scene.types import SAMPLE_RATE_HZ

SIDE = 256  # of a picture, in dots: a whole multiple of the sides that generators draw
GAP = 12
HEADING = 26
NAME, SCALE = 28, 48  # left of the first column: a row's name, and the ticks of a plot
COLOURS = "magma"  # uniform to the eye, and as light in grey as in colour
FLOOR_DB = 10 * math.log10(DENSITY_FLOOR)
_UNIT = 14  # of a panel whose ticks are below it, for the words under them
_HERTZ = SAMPLE_RATE_HZ / 512  # of a bin
_HOP_S = 159 / SAMPLE_RATE_HZ


def level_db(waveform_T: Tensor, width: int, height: int) -> tuple[Tensor, int, int]:
    """Spectrogram in dB re full scale squared per Hz, -70 at least, for a panel of so many dots.

    Returns:
        level_FT, and of how many bins and frames a value of it is the mean: so many that none falls between
        two dots.
    """
    log_FT = PaperSpectrogram().log_density(waveform_T[None])[0]
    bins, frames = (
        max(1, round(have / dots)) for have, dots in zip(log_FT.shape, (height, width), strict=True)
    )
    mean_FT = avg_pool2d(log_FT[None], (bins, frames), ceil_mode=True)[0]
    return FLOOR_DB + 10 / math.log(10) * mean_FT, bins, frames


class Sheet:
    """Rows and columns of panels; plots in its first column and its last row bear the ticks.

    Args:
        title: What the sheet shows.
        about: What it rests on: split, step, seed, truncation.
        columns: Width of each column, in dots.
        rows: Number of rows.
        height: Height of a row, in dots.
        captions: Leave room for words over every panel, not only over the first row.
        plots: Leave room for the ticks of plots or sounds.
        foot: Dots below everything, for a colour scale or a legend.
    """

    def __init__(
        self,
        title: str,
        about: str,
        columns: Sequence[int],
        rows: int,
        height: int = SIDE,
        captions: bool = False,
        plots: bool = False,
        foot: int = 0,
    ) -> None:
        self.columns, self.rows, self.row_height = columns, rows, height
        self.left = EDGE + NAME + (SCALE if plots else 0)
        self.between = GAP + (HEADING if captions else 0)
        width = self.left + sum(columns) + GAP * (len(columns) - 1) + EDGE
        heading = Heading(title, about, width)
        self.top = round(heading.height) + (2 if captions else 1) * HEADING
        self.bottom = self.top + rows * height + (rows - 1) * self.between + (SCALE if plots else 0) + EDGE
        self.page = Page(width, self.bottom + foot)
        heading.write(self.page)
        self.captions = captions
        self.sounds: list[Tensor] = []
        self.scale = Normalize(FLOOR_DB, FLOOR_DB + 1)

    def box(self, row: int, column: int) -> Box:
        """Place of a panel."""
        left = self.left + sum(self.columns[:column]) + GAP * column
        top = self.top + row * (self.row_height + self.between)
        return Box(left, top, self.columns[column], self.row_height)

    def heading(self, column: int, words: str, until: int | None = None) -> None:
        """Words over a column, or in the middle over several, up to and with that one."""
        first, last = self.box(0, column), self.box(0, column if until is None else until)
        middle = (first.left + last.left + last.width) / 2
        top = first.top - (HEADING if self.captions else 0) - 6
        self.page.write(words, middle, top, SMALL, ha="center", va="bottom", weight="bold")

    def caption(self, row: int, column: int, words: str) -> None:
        """Words over a panel, of which there has to be room for captions."""
        box = self.box(row, column)
        letters = fitting(box.width, TICKS)
        x, y = box.left + box.width / 2, box.top - 6
        self.page.write(drawable(words, letters=letters), x, y, TICKS, ha="center", va="bottom")

    def name(self, row: int, name: str, keep_end: bool = False) -> None:
        """What a row is called, along its left side."""
        box = self.box(row, 0)
        letters = fitting(box.height + GAP, TICKS)
        shown = drawable(name, keep_end, min(LETTERS, 2 * letters))
        for line, start in enumerate(range(0, len(shown), letters)):
            x, y = EDGE / 2 + line * dots(TICKS), box.top + box.height / 2
            part = shown[start : start + letters]
            self.page.write(part, x, y, TICKS, ha="left", va="center", rotation=90)

    def picture(
        self, row: int, column: int, pixels_HWC: NDArray[np.uint8], frame: str = "", dashed: bool = False
    ) -> None:
        """A picture, with a frame of that colour if one is given."""
        box = self.box(row, column)
        self.page.show(pixels_HWC, box)
        if frame:
            self.page.frame(box, frame, dashed)

    def plot(self, row: int, column: int, below: bool = False) -> Axes:
        """An Axes whose ticks have labels where they stand at the sheet's edge, or also below it."""
        box = self.box(row, column)
        axes = self.page.panel(box._replace(height=box.height - _UNIT) if below else box)
        axes.tick_params(labelleft=column == 0, labelbottom=below or row == self.rows - 1)
        return axes

    def sound(self, row: int, column: int, waveform_T: Tensor, below: bool = False) -> None:
        """A sound as its spectrogram over seconds and kilohertz; all of a sheet share one colour scale.

        Args:
            row: Row of the panel.
            column: Column of the panel.
            waveform_T: 16 kHz mono sound.
            below: Label the seconds even above the last row; there has to be room for captions.
        """
        axes, box = self.plot(row, column, below), self.box(row, column)
        level_FT, bins, frames = level_db(waveform_T, round(box.width), round(box.height))
        start_s = 256 / SAMPLE_RATE_HZ - _HOP_S / 2
        end_s = start_s + frames * _HOP_S * level_FT.shape[1]
        lowest_khz = -_HERTZ / 2000
        highest_khz = lowest_khz + bins * _HERTZ * len(level_FT) / 1000
        axes.imshow(
            level_FT.numpy(),
            origin="lower",
            aspect="auto",
            cmap=COLOURS,
            norm=self.scale,
            interpolation="nearest",
            extent=(start_s, end_s, lowest_khz, highest_khz),
        )
        axes.set(xlim=(0, len(waveform_T) / SAMPLE_RATE_HZ), ylim=(0, SAMPLE_RATE_HZ / 2000))
        axes.set(xticks=range(0, 10, 2), yticks=range(0, 8, 2))  # the last would meet the next panel's first
        if column == 0:
            axes.set_ylabel("kHz", fontsize=TICKS, labelpad=1)
        if below or row == self.rows - 1:
            axes.set_xlabel("seconds", fontsize=TICKS, labelpad=1)
        self.sounds.append(level_FT)

    def finish(self) -> Figure:
        """The figure, with the scale of its sounds."""
        if self.sounds:
            highest = max(float(level_FT.max()) for level_FT in self.sounds)
            self.scale.vmax = max(FLOOR_DB + 10, math.ceil(highest / 5) * 5)
            self.colour_bar(self.scale, COLOURS, "sound: dB re full scale² per Hz", self.left)
        return self.page.figure

    def colour_bar(self, scale: Normalize, colours: str, words: str, left: float, drop: float = 0) -> None:
        """A colour scale in the foot of the sheet, so many dots below its beginning."""
        axes = self.page.panel(Box(left, self.bottom + drop, SIDE, 12))
        self.page.figure.colorbar(ScalarMappable(scale, colours), cax=axes, orientation="horizontal")
        axes.tick_params(labelsize=TICKS, length=3, pad=2)
        axes.set_xlabel(words, fontsize=TICKS, labelpad=1)


def bottom_of_scale() -> int:
    """Dots that a colour scale takes in the foot of a sheet."""
    return round(12 + 3 * dots(TICKS) + EDGE)
