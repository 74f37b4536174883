"""The figures of a run over its steps."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sound2scene.figures.words import write_legend


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


def draw_curves(series: dict[str, list[tuple[float, float]]]) -> Figure:
    """Training loss with its chance and floor level, held-out figures, and speed, side by side."""
    panels: dict[str, list[str]] = {
        "loss": [name for name in ("train/loss", "train/chance", "train/floor") if name in series],
        "held out": [
            name for name in series if name.startswith("val/") and "_at_1" in name and "_at_10" not in name
        ]
        or [name for name in series if name.startswith("val/")],
        "clips per second": [name for name in series if name == "speed/clips_per_s"],
    }
    figure = Figure(figsize=(15, 4), layout="constrained")
    for axes, (title, names) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for name in names:
            level = "chance" in name or "floor" in name
            steps, values = np.array(series[name]).T
            axes.plot(steps, values, "--" if level else "-", label=name)
        axes.set_title(title)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        if names:
            write_legend(axes)
    return figure
