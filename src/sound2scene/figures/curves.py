"""The figures of a run over its steps."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sound2scene.figures.page import SMALL, TICKS, Box, Heading, Page
from sound2scene.figures.words import drawable, write_legend

Series = Mapping[str, Sequence[tuple[float, float]]]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
WIDTH, HEIGHT, ACROSS = 640, 420, 3
_LEFT, _ABOVE, _BELOW = 90, 64, 70
_ROW = 0.11  # of a panel's height, that an entry of the legend takes above the curves
_UP_TO_ONE = ("share", "correlation", "R²")
_CEILING = "_from_z_image"
_CEILINGS = "the same, of pictures from the true z_image"
_PROTOCOL = re.compile(r"/(n[0-9]+_.*)$")


class Kind(NamedTuple):
    """Figures of one unit, which share a panel.

    Attributes:
        pattern: What their names look like.
        title: Heading of the panel.
        unit: What its height means.
    """

    pattern: str
    title: str
    unit: str


# The first that fits counts. Recalls at more than 1, progress and shares of time stand in the log.
KINDS = (
    Kind(r"(train|val)/loss|train/(chance|floor)", "loss", "loss"),
    Kind(r"(train|val)/(generator|discriminator)_loss", "adversarial losses", "loss"),
    Kind(r"train/(real|fake)_score", "scores of the discriminator", "score"),
    Kind(r"val/class/.*_at_1", "recall at 1 of the class, held out", "share"),
    Kind(r"val/instance/.*_at_1", "recall at 1 of the very clip, held out", "share"),
    Kind(r"val/.*_at_[0-9]+", "", ""),
    Kind(r"val/fid.*", "FID (smaller is better), held out", "FID"),
    Kind(r"val/kid.*", "KID (smaller is better), held out", "KID"),
    Kind(r"val/inception_score.*", "inception score, held out", "score"),
    Kind(r"val/(accuracy|chance|neighbour_accuracy|judged_as_label.*)", "labels found, held out", "share"),
    Kind(r"val/((kinds|number|background)_right|both_shown).*", "what pictures show, held out", "share"),
    Kind(r"val/(diameter|height|left_right)_rank.*", "rank of read and true, held out", "correlation"),
    Kind(r"val/(diameter|height|left_right)_r2.*", "R² of read and true, held out", "R²"),
    Kind(r"val/(.+)", r"\1, held out", "value"),
    Kind(r"train/batch_recall_at_1", "recall at 1 within a batch, training", "share"),
    Kind(r"speed/clips_per_s", "speed", "clips per second"),
    Kind(r"lr-.*", "learning rate", "rate"),
)


def read_series(path: Path) -> dict[str, list[tuple[float, float]]]:
    """A CSV log as (step, value) pairs per figure."""
    series: dict[str, list[tuple[float, float]]] = {}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for name in row.keys() - {"step", "epoch"}:
            if row[name]:
                series.setdefault(name, []).append((float(row["step"]), float(row[name])))
    return series


def draw_curves(series: Series, about: str = "") -> Figure:
    """A panel for each unit that was logged, three in a row; chance is dashed, floor and ceiling dotted.

    Args:
        series: (step, value) pairs of each figure by its name in the log.
        about: What it rests on: name of the run, seed.
    """
    panels: dict[tuple[str, str], list[str]] = {}
    for name in sorted(series, key=_order):
        title, unit = _kind(name)
        if title:
            panels.setdefault((title, unit), []).append(name)
    across = max(1, min(ACROSS, len(panels)))
    down = max(1, -(-len(panels) // across))
    width = across * WIDTH
    last = max((step for pairs in series.values() for step, _ in pairs), default=0)
    heading = Heading(
        f"Figures of the run up to step {last:g}" if panels else "The run logged no figures", about, width
    )
    page = Page(width, heading.height + down * HEIGHT)
    heading.write(page)
    for number, ((title, unit), names) in enumerate(panels.items()):
        left = number % across * WIDTH + _LEFT
        top = heading.height + number // across * HEIGHT + _ABOVE
        axes = page.panel(Box(left, top, WIDTH - _LEFT - 20, HEIGHT - _ABOVE - _BELOW))
        _draw(axes, title, unit, {name: series[name] for name in names})
    return page.figure


def _draw(axes: Axes, title: str, unit: str, shown: Series) -> None:
    protocols = sorted({found[1] for name in shown if (found := _PROTOCOL.search(name))})
    colours = iter(COLOURS * (1 + len(shown) // len(COLOURS)))
    ceilings = [name for name in shown if _CEILING in name]
    taken: dict[str, str] = {}
    entries = 0
    for name, pairs in shown.items():
        steps, values = np.array(pairs).T
        style = _style(name)
        marker = "o" if len(pairs) < 30 and style == "-" else ""
        colour = taken[name] = "0.35" if style != "-" else next(colours)
        label = _label(name)
        if len(ceilings) > 1 and name in ceilings:  # one entry for all, each in its figure's colour
            colour = taken.get(name.replace(_CEILING, ""), colour)
            label = _CEILINGS if name == ceilings[0] else ""
        entries += label != ""
        axes.plot(
            steps, values, style, label=label, color=colour, marker=marker, markersize=2.5, linewidth=1.2
        )
    words = [drawable(part, letters=60) for part in (title, *protocols)]
    axes.set_title("\n".join(words), fontsize=SMALL, parse_math=False)
    axes.set_xlabel("step", fontsize=TICKS)
    axes.set_ylabel(unit, fontsize=TICKS, parse_math=False)
    axes.grid(alpha=0.3)
    if len(shown) > 1:
        low, high = axes.get_ylim()
        if unit in _UP_TO_ONE:
            # The room for the legend is no place for a share.
            axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= 1])
        axes.set_ylim(low, high + (high - low) * (0.04 + _ROW * entries))
        write_legend(axes, 6)


def _kind(name: str) -> tuple[str, str]:
    """Title and unit of the panel of a figure; empty where it is in none."""
    for pattern, title, unit in KINDS:
        if found := re.fullmatch(pattern, name, re.DOTALL):
            return title.replace("\\1", _label(found[1])) if "\\" in title else title, unit
    return "", ""


def _order(name: str) -> tuple[int, str]:
    """Figures in the order of their kinds, levels behind what they are levels of."""
    kind = next(
        (number for number, (pattern, _, _) in enumerate(KINDS) if re.fullmatch(pattern, name, re.DOTALL)), 99
    )
    return kind, f"{_style(name) != '-'}{name}"


def _style(name: str) -> str:
    if "chance" in name or "_of_class_means" in name:
        return "--"
    return ":" if name == "train/floor" or _CEILING in name else "-"


def _label(name: str) -> str:
    """A figure's name as words, as far as its panel does not say them."""
    if name in ("train/loss", "val/loss"):
        return "training" if name.startswith("train") else "held out"
    words = _PROTOCOL.sub("", name).removeprefix("train/").removeprefix("val/")
    words = re.sub(r"^(class|instance)/|/recall_at_1$|_at_1$", "", words)
    words = words.replace(_CEILING, " of pictures from the true z_image")
    return words.replace("_", " ").replace("z image", "z_image").replace("/", ", ").replace("fid", "FID")
