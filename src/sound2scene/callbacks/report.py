"""What a run has to show at its end: a table of the best held-out figures beside chance, and its curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from sound2scene import files
from sound2scene.callbacks.improvement import Aim, held_out
from sound2scene.callbacks.run_pictures import seed_words
from sound2scene.data.shards.report import coverage_line
from sound2scene.figures.curves import draw_curves, read_series
from sound2scene.figures.panels import Format, save
from sound2scene.lightning import data_of
from sound2scene.protocols import Documented


class Report(pl.Callback):
    """Prints the best figures when the fit ends and writes `table.md` and `curves.png`; a listener of `Best`.

    Args:
        aim: Which validation is the best, for the heading.
        formats: In what else than PNG the curves are written.
    """

    def __init__(self, aim: Aim, formats: tuple[Format, ...] = ()) -> None:
        self.aim, self.formats = aim, formats
        self.figures: dict[str, float] = {}

    def improved(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember the figures."""
        self.figures = held_out(trainer)

    def state_dict(self) -> dict[str, Any]:
        """The best figures."""
        return {"figures": self.figures}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore them."""
        self.figures = state_dict["figures"]

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Outside of a fit say what the figures that Lightning prints rest on."""
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
        files.write(folder / "table.md", table + "\n")
        metrics = folder / "metrics.csv"
        if metrics.exists():
            about = f"{folder}, {seed_words(trainer)}"
            save(draw_curves(read_series(metrics), about), folder / "curves.png", self.formats)
        best = self.aim.figure(self.figures, self.aim.monitor)
        print(
            f"\nBest validation ({self.aim.monitor} = {best:.3f}):\n\n{table}\n\nrun folder: {folder}",
            flush=True,
        )

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The test figures as a table."""
        if trainer.is_global_zero:
            lines = table_lines(held_out(trainer)) + _coverage(trainer)
            print("\nTest split:\n\n" + "\n".join(lines), flush=True)


def _coverage(trainer: pl.Trainer) -> list[str]:
    data = data_of(trainer)
    covered = data.coverage() if isinstance(data, Documented) else {}
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
