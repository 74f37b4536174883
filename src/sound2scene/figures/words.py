"""Names in figures: matplotlib shows whatever a file or a class is called, and never fails over it."""

from __future__ import annotations

from matplotlib.axes import Axes

LETTERS = 28
LEGEND_LETTERS = 90


def write_legend(axes: Axes, size: float = 7) -> None:
    """Names of the curves of a panel, up to 90 letters of each, in its upper right corner."""
    for text in axes.legend(fontsize=size, loc="upper right", framealpha=0.6, borderpad=0.3).get_texts():
        text.set_parse_math(False)
        text.set_text(plain(text.get_text()[:LEGEND_LETTERS]))


def noise_words(seed: int, draws: int, truncation: float = 1.0) -> str:
    """With which noise pictures were drawn: `noise: seed 0, draws 0 to 7, truncation 1 (none)`."""
    numbers = "draw 0" if draws == 1 else f"draws 0 to {draws - 1}"
    return f"noise: seed {seed}, {numbers}, truncation {truncation:g}{' (none)' if truncation == 1 else ''}"


def plain(words: str) -> str:
    r"""Words in which whatever has no shape is written as Python writes it: `\n`, `\udcff`."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in words)


def drawable(name: str, keep_end: bool = False, letters: int = LETTERS) -> str:
    r"""A name as matplotlib can show it; it must not take it for a formula, which dollars would begin.

    What has no shape (control characters, bytes that are no UTF-8, line breaks) is written as Python writes
    it: `\n`, `\udcff`. Letters that matplotlib's font lacks come out as boxes.

    Args:
        name: Any text.
        keep_end: Show the last letters and not the first, as for paths.
        letters: How many of them are shown.
    """
    part = name[-letters:] if keep_end else name[:letters]
    shown = plain(part)
    return shown[-letters:] if keep_end else shown[:letters]


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()
