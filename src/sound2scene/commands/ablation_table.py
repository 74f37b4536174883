"""The table of ablations: each seed, the mean, and what a recipe differs by from the base."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sound2scene import tables
from sound2scene.callbacks.table import title_of
from sound2scene.commands.run_folders import read_rows
from sound2scene.metrics.intervals import Estimate
from sound2scene.metrics.repeats import paired_difference
from sound2scene.runs import Aim
from sound2scene.types import InputError

BASE = "base"
FIGURES = (
    "test/class/audio_to_image/recall_at_1",
    "test/instance/audio_to_image/recall_at_10",
    "test/judged_as_label",
    "test/fid",
)


class Row(NamedTuple):
    """A figure of a recipe.

    Attributes:
        figure: What it is.
        recipe: The recipe.
        by_seed: Its value for each seed that is there.
        difference: To the base, over the seeds that both have; None where there are none.
    """

    figure: str
    recipe: str
    by_seed: Mapping[int, float]
    difference: Estimate | None


def figures_of(metrics: Path) -> dict[str, float]:
    """The figures of `FIGURES` in the log of a measured run, as far as they are there.

    Raises:
        InputError: If it is no log.
    """
    merged = {name: value for row in read_rows(metrics) for name, value in row.items()}
    found: dict[str, float] = {}
    for wanted in FIGURES:
        try:
            found[wanted] = Aim(wanted).figure(merged, wanted)
        except InputError:  # a recipe without the callback that measures it
            continue
    return found


def rows_of(measured: Mapping[str, Mapping[int, Mapping[str, float]]]) -> list[Row]:
    """Rows by figure and recipe, as the recipes come.

    Args:
        measured: Figures of each recipe and seed.
    """
    rows: list[Row] = []
    for figure in FIGURES:
        values = {
            recipe: {seed: found[figure] for seed, found in sorted(seeds.items()) if figure in found}
            for recipe, seeds in measured.items()
        }
        base = values.get(BASE, {})
        for recipe, by_seed in values.items():
            both = [seed for seed in by_seed if seed in base]
            difference = None
            if both and recipe != BASE:
                difference = paired_difference([by_seed[one] for one in both], [base[one] for one in both])
            rows += [Row(figure, recipe, by_seed, difference)] if by_seed else []
    return rows


def as_markdown(rows: Sequence[Row], seeds: Sequence[int]) -> str:
    """The table in Markdown."""
    head = ["figure", "recipe", *(f"seed {seed}" for seed in seeds), "mean", f"minus {BASE}", "95 % interval"]
    return tables.markdown(head, [_cells(row, seeds) for row in rows])


def comma_separated(rows: Sequence[Row], seeds: Sequence[int]) -> str:
    """The table as CSV, with values in full."""
    by_seed = [f"seed_{seed}" for seed in seeds]
    head = ["figure", "recipe", *by_seed, "mean", "difference", "low", "high", "seeds"]
    return tables.comma_separated(head, [_plain(row, seeds) for row in rows])


def _plain(row: Row, seeds: Sequence[int]) -> list[object]:
    by_seed = [row.by_seed.get(seed, "") for seed in seeds]
    difference = ["", "", "", ""] if row.difference is None else list(row.difference)
    return [row.figure, row.recipe, *by_seed, _mean(row), *difference]


def _cells(row: Row, seeds: Sequence[int]) -> list[str]:
    by_seed = [f"{row.by_seed[seed]:.3f}" if seed in row.by_seed else "" for seed in seeds]
    cells = [title_of(row.figure), row.recipe, *by_seed, f"{_mean(row):.3f}"]
    if row.difference is None:
        return [*cells, "", ""]
    value, low, high, _ = row.difference
    return [*cells, f"{value:+.3f}", f"{low:+.3f} to {high:+.3f}" if math.isfinite(low) else ""]


def _mean(row: Row) -> float:
    return sum(row.by_seed.values()) / len(row.by_seed)
