"""What a run has to show at its end: a table of the best held-out figures beside chance, and its curves."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from matplotlib.figure import Figure

from sound2scene.callbacks.improvement import OnImprovement, held_out
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.shards.report import coverage_line


class Report(OnImprovement):
    """Prints and writes `table.md` and `curves.png` into the run folder when the fit ends.

    Args:
        monitor: Logged figure that decides which validation is the best; larger is better.
    """

    def __init__(self, monitor: str) -> None:
        super().__init__(monitor)
        self.figures: dict[str, float] = {}

    def improved(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember the figures."""
        self.figures = held_out(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Best score and its figures."""
        return super().state_dict() | {"figures": self.figures}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore both."""
        super().load_state_dict(state_dict)
        self.figures = state_dict["figures"]

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare in a fit; otherwise say what the figures that Lightning prints rest on."""
        super().on_validation_end(trainer, pl_module)
        if trainer.state.fn == "validate" and trainer.is_global_zero:
            print("\n".join(_coverage(trainer)), flush=True)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Table and curves, on the first rank."""
        log_dir = trainer.log_dir  # a broadcast: every rank has to ask
        if not (trainer.is_global_zero and self.figures and log_dir):
            return
        folder = Path(log_dir)
        table = "\n".join(table_lines(self.figures) + _coverage(trainer))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "table.md").write_text(table + "\n")
        metrics = folder / "metrics.csv"
        if metrics.exists():
            draw_curves(read_series(metrics), folder / "curves.png")
        print(
            f"\nBest validation ({self.monitor} = {self.best:.3f}):\n\n{table}\n\nrun folder: {folder}",
            flush=True,
        )

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The test figures as a table."""
        if trainer.is_global_zero:
            lines = table_lines(held_out(trainer)) + _coverage(trainer)
            print("\nTest split:\n\n" + "\n".join(lines), flush=True)


def _coverage(trainer: pl.Trainer) -> list[str]:
    data: ClipDataModule = trainer.datamodule  # type: ignore[attr-defined]
    covered = data.coverage()
    return [coverage_line(covered)] if covered else []


def table_lines(figures: dict[str, float]) -> list[str]:
    """Markdown rows: recalls by level and direction with chance beside them; other figures one per line."""
    plain = {name.split("/", 1)[1]: value for name, value in figures.items()}
    ks = sorted({int(name.rsplit("_", 1)[1]) for name in plain if "/recall_at_" in name})
    lines = []
    if ks:
        head = " | ".join(f"R@{k} (chance)" for k in ks)
        lines += [f"| recall | {head} |", "|---" * (len(ks) + 1) + "|"]
    for rows in sorted({name.rsplit("/", 1)[0] for name in plain if "/recall_at_" in name}):
        level, direction = rows.split("/")
        cells = [f"{plain[f'{rows}/recall_at_{k}']:.3f} ({plain[f'{level}/chance_at_{k}']:.3f})" for k in ks]
        lines.append(f"| {level}, {direction.replace('_', ' ')} | {' | '.join(cells)} |")
    rest = [name for name in sorted(plain) if "/recall_at_" not in name and "/chance_at_" not in name]
    return lines + [f"{name}: {plain[name]:.4f}" for name in rest]


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


def draw_curves(series: dict[str, list[tuple[float, float]]], path: Path) -> None:
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
            axes.legend(fontsize=7)
    figure.savefig(path, dpi=100)
