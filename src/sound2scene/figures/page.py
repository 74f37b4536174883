"""A page: a figure whose parts stand where they are put, counted in dots.

No layout engine, and one Axes for all pictures, frames and words: a constrained grid with an Axes for each
picture takes about ten times as long to write.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch, Rectangle

from sound2scene.figures.words import plain

DPI = 150
EDGE = 12  # dots around everything
LETTER = 0.6  # width of a letter, in heights
TITLE, ABOUT, SMALL, TICKS = 11, 8, 8, 7  # sizes of words, in points


class Box(NamedTuple):
    """A place on a page, in dots from its upper left corner."""

    left: float
    top: float
    width: float
    height: float


def dots(points: float) -> float:
    """Height of a word of that size."""
    return points * DPI / 72


def fitting(width: float, points: float) -> int:
    """How many letters of that size stand side by side in so many dots; at least 8."""
    return max(8, int(width / (LETTER * dots(points))))


def wrapped(words: str, width: float, points: float) -> list[str]:
    """Lines of words that fit into so many dots."""
    return textwrap.wrap(plain(words), fitting(width, points))


class Heading:
    """Title of a page and, in smaller letters below it, what it rests on: split, step, seed, truncation.

    Args:
        title: What the page shows.
        about: What it rests on; empty for nothing.
        width: Width of the page, in dots.

    Attributes:
        height: Dots that it takes.
    """

    def __init__(self, title: str, about: str, width: float) -> None:
        inner = width - 2 * EDGE
        self.lines = [(line, TITLE) for line in wrapped(title, inner, TITLE)]
        self.lines += [(line, ABOUT) for line in wrapped(about, inner, ABOUT)]
        self.height = EDGE + sum(1.35 * dots(points) for _, points in self.lines)

    def write(self, page: Page) -> None:
        """Write it on top of a page."""
        top: float = EDGE
        for line, points in self.lines:
            page.write(line, EDGE, top, points, va="top", weight="bold" if points == TITLE else "normal")
            top += 1.35 * dots(points)


class Page:
    """A figure, white and empty.

    Args:
        width: Width in dots, of which an inch has 150.
        height: Height in dots.

    Attributes:
        figure: The figure. Its first Axes covers it in dots from the upper left corner and holds every
            picture, frame and word that is in no panel.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = round(width), round(height)
        self.figure = Figure(figsize=(self.width / DPI, self.height / DPI), dpi=DPI)
        self.axes = self.figure.add_axes((0, 0, 1, 1), label="page")
        self.axes.set_axis_off()
        self.axes.set(xlim=(0, self.width), ylim=(self.height, 0))

    def show(self, values: Any, box: Box, **settings: Any) -> AxesImage:
        """A picture, (H, W, 3) uint8 or (H, W) of values, in a box; its pixels stay squares of one colour."""
        extent = (box.left, box.left + box.width, box.top + box.height, box.top)
        image = AxesImage(self.axes, extent=extent, interpolation="nearest", origin="upper", **settings)
        image.set_data(values)
        self.axes.add_image(image)
        return image

    def frame(self, box: Box, colour: str, dashed: bool = False) -> None:
        """A frame around a box."""
        line = "--" if dashed else "-"
        place = (box.left - 2, box.top - 2)
        self.axes.add_patch(
            Rectangle(place, box.width + 4, box.height + 4, fill=False, ec=colour, lw=2.5, ls=line)
        )

    def write(self, words: str, x: float, y: float, points: float, **settings: Any) -> None:
        """Words at a place, never taken for a formula."""
        self.axes.text(x, y, plain(words), fontsize=points, parse_math=False, **settings)

    def panel(self, box: Box) -> Axes:
        """An Axes of its own in a box."""
        bottom = 1 - (box.top + box.height) / self.height
        place = (box.left / self.width, bottom, box.width / self.width, box.height / self.height)
        axes = self.figure.add_axes(place)
        axes.tick_params(labelsize=TICKS, length=3, pad=2)
        return axes

    def legend(self, entries: Mapping[str, Mapping[str, Any]], left: float, top: float) -> None:
        """What colours stand for: settings of a patch by its words, one below the other."""
        handles = [Patch(label=words, **settings) for words, settings in entries.items()]
        place = (left / self.width, 1 - top / self.height)
        self.axes.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=place,
            fontsize=SMALL,
            frameon=False,
            borderaxespad=0,
            borderpad=0,
        )
