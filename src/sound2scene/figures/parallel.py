"""Parallel coordinates: each run a line over one axis a parameter, coloured by the figure on the last one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from sound2scene.figures.words import LETTERS, drawable

FEW, TICKS, WIDE = 6, 5, 10


@dataclass(frozen=True)
class Axis:
    """What one axis shows.

    Attributes:
        name: What to write at it.
        values: A number or a word of each run.
    """

    name: str
    values: Sequence[float | str]


def draw_parallel(parameters: Sequence[Axis], figure: Axis, names: Sequence[object]) -> Figure:
    """Lines over the axes; runs come best first, and the best is drawn last, on top of all others.

    Numbers spread over their range, by their logarithms where the largest is 10 times the smallest; words,
    and numbers among words, stand in their order at equal distances.

    Args:
        parameters: An axis for each parameter.
        figure: The last axis: a number of each run.
        names: What to call the runs, at the right end of their lines.
    """
    axes_of_all = [*parameters, figure]
    picture = Figure(figsize=(2.2 + 1.7 * len(axes_of_all), 4.2), layout="constrained")
    axes = picture.subplots()
    if not figure.values:
        axes.text(0.5, 0.5, "no run has a figure yet", ha="center")
        axes.axis("off")
        return picture
    heights = [_place(axes, column, axis) for column, axis in enumerate(axes_of_all)]
    values = np.array(figure.values, dtype=float)
    colours = ScalarMappable(Normalize(values.min(), values.max()), "viridis")
    columns = np.arange(len(axes_of_all))
    for run in reversed(range(len(values))):
        line = [height[run] for height in heights]
        axes.plot(columns, line, color=colours.to_rgba(values[run]), linewidth=1.8, marker="o", markersize=4)
        axes.annotate(
            str(names[run]), (columns[-1], line[-1]), (6, -3), textcoords="offset points", fontsize=7
        )
    axes.set(yticks=[], ylim=(-0.06, 1.06), xlim=(-0.4, len(columns) - 0.6))
    axes.set_xticks(columns, [_in_lines(axis.name) for axis in axes_of_all], fontsize=8)
    for text in axes.get_xticklabels():
        text.set_parse_math(False)
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set_visible(False)
    picture.colorbar(colours, ax=axes, label=figure.name)
    return picture


def _in_lines(name: str) -> str:
    """A name below its axis; one that is too long for a line is broken behind its slashes."""
    parts = [name] if len(name) <= LETTERS else re.split(r"(?<=/)", name)
    return "\n".join(drawable(part, keep_end=True) for part in parts)


def _place(axes: Axes, column: int, axis: Axis) -> list[float]:
    """Draw an axis with its ticks; where on it each value stands, from 0 to 1."""
    axes.axvline(column, color="0.6", linewidth=1, zorder=0)
    places, ticks = scaled(axis.values)
    for height, word in ticks:
        text = axes.text(column - 0.04, height, drawable(word), ha="right", va="center", fontsize=7)
        text.set_parse_math(False)
        text.set_bbox({"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.5})
    return places


def scaled(values: Sequence[float | str]) -> tuple[list[float], list[tuple[float, str]]]:
    """Places of values on an axis from 0 to 1, and its ticks.

    Args:
        values: Numbers or words.
    """
    numbers = [one for one in values if not isinstance(one, str)]
    if len(numbers) < len(values):
        order = list(dict.fromkeys(str(one) for one in values))
        heights = {word: _spread(number, 0, len(order) - 1) for number, word in enumerate(order)}
        return [heights[str(one)] for one in values], [(height, word) for word, height in heights.items()]
    low, high = min(numbers), max(numbers)
    is_log = low > 0 and high / low >= WIDE
    ends = (float(np.log(low)), float(np.log(high))) if is_log else (low, high)
    at = [_spread(float(np.log(one)) if is_log else one, *ends) for one in numbers]
    known = dict(sorted(zip(at, numbers, strict=True)))
    if len(known) > FEW:
        heights_T = np.linspace(0, 1, TICKS)
        tick_T = ends[0] + heights_T * (ends[1] - ends[0])
        known = dict(zip(heights_T.tolist(), (np.exp(tick_T) if is_log else tick_T).tolist(), strict=True))
    return at, [(height, f"{number:.3g}") for height, number in known.items()]


def _spread(value: float, low: float, high: float) -> float:
    return 0.5 if high == low else (value - low) / (high - low)
