"""Names in figures: matplotlib shows whatever a file or a class is called, and never fails over it."""

from __future__ import annotations

from matplotlib.axes import Axes

LETTERS = 28
LEGEND_LETTERS = 90


def write_title(axes: Axes, name: str, size: float = 9) -> None:
    """A name above a panel; see :func:`drawable`."""
    axes.set_title(drawable(name), fontsize=size, parse_math=False)


def write_side(axes: Axes, name: str, size: float = 9, keep_end: bool = False) -> None:
    """A name beside a panel; see :func:`drawable`."""
    axes.set_ylabel(drawable(name, keep_end), fontsize=size, parse_math=False)


def write_legend(axes: Axes, size: float = 7) -> None:
    """Names of the curves of a panel, up to 90 letters of each."""
    for text in axes.legend(fontsize=size).get_texts():
        text.set_parse_math(False)
        text.set_text("".join(map(_shape, text.get_text()[:LEGEND_LETTERS])))


def drawable(name: str, keep_end: bool = False) -> str:
    r"""A name as matplotlib can show it; it must not take it for a formula, which dollars would begin.

    What has no shape (control characters, bytes that are no UTF-8, line breaks) is written as Python writes
    it: `\n`, `\udcff`. Letters that matplotlib's font lacks come out as boxes.

    Args:
        name: Any text; 28 letters of it are shown.
        keep_end: Show the last letters and not the first, as for paths.
    """
    part = name[-LETTERS:] if keep_end else name[:LETTERS]
    shown = "".join(map(_shape, part))
    return shown[-LETTERS:] if keep_end else shown[:LETTERS]


def _shape(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode()
