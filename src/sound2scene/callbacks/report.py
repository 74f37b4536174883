"""What a run has to show at its end: a table of its best figures, its curves, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import pytorch_lightning as pl

from sound2scene import artifacts, files
from sound2scene.callbacks.export import ARTIFACT
from sound2scene.callbacks.improvement import held_out
from sound2scene.callbacks.provenance import Origins
from sound2scene.callbacks.run_pictures import seed_words
from sound2scene.callbacks.table import Row, bounds_explained, comma_separated, latex, markdown, rows_of
from sound2scene.data.shards.report import coverage_line
from sound2scene.figures.curves import draw_curves, read_series
from sound2scene.figures.panels import Format, save
from sound2scene.lightning import clips_in, data_of
from sound2scene.protocols import Documented

# What a network of each kind is for.
NEXT = {
    "audio-encoder": "sound2scene generate SOUND ... -o pictures --audio-encoder {artifact}",
    "localizer": "sound2scene select VIDEOS -o selection.json --localizer {artifact}",
    "image-encoder": "name it in recipes: --data.init_args.features.image_encoder {artifact}",
    "generator": "name it in a recipe of `align`: --model.init_args.drawing.init_args.generator {artifact}",
    "judge": "name it in recipes: GenerationMetrics, init_args.network {artifact}",
    "reader": "name it in recipes: SceneMetrics, init_args.reader {artifact}",
    "manifold-audio": "sound2scene generate SOUND ... -o pictures --method manifold:audio_network={artifact}",
    "s2i-audio": "name it in a recipe of `s2i`: --model.init_args.audio {artifact}",
    "s2i-generator": "sound2scene generate SOUND ... -o pictures --method s2i:generator={artifact}",
    "manifold-autoencoder": "name it in a recipe of `manifold`: --model.init_args.autoencoder {artifact}",
}


class Report(pl.Callback):
    """Prints the best figures when the fit ends, and writes `table.md`, `.csv` and `.tex`, and `curves.png`.

    A listener of `Best`.

    Args:
        origins: Where the run comes from, for the heading.
        formats: In what else than PNG the curves are written.
    """

    def __init__(self, origins: Origins, formats: tuple[Format, ...] = ()) -> None:
        self.origins, self.formats = origins, formats
        self.figures: dict[str, float] = {}
        self.step, self.clips = 0, 0
        self._begun = monotonic()

    def improved(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember the figures."""
        self.figures, self.step = held_out(trainer), trainer.global_step
        self.clips = clips_in(trainer.val_dataloaders)

    def state_dict(self) -> dict[str, Any]:
        """The best figures."""
        return {"figures": self.figures, "step": self.step, "clips": self.clips}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore them."""
        self.figures, self.step = state_dict["figures"], state_dict["step"]
        self.clips = state_dict["clips"]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the clock."""
        self._begun = monotonic()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The figures of a validation outside of a fit."""
        if trainer.state.fn == "validate":
            self._measured(trainer, "held-out split", clips_in(trainer.val_dataloaders))

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The test figures."""
        self._measured(trainer, "test split", clips_in(trainer.test_dataloaders))

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Table and curves, on the first rank, and what they are good for."""
        log_dir = trainer.log_dir  # a broadcast: every rank has to ask
        if not (trainer.is_global_zero and self.figures and log_dir):
            return
        folder, rows = Path(log_dir), rows_of(self.figures, self.clips)
        seconds = round(monotonic() - self._begun)
        title = f"{self._title()}, best at step {self.step} of {trainer.global_step}, {told(seconds)}"
        text = write_table(folder, rows, [title, *_coverage(trainer)])
        metrics = folder / "metrics.csv"
        if metrics.exists():
            about = f"{folder}, {seed_words(trainer)}"
            save(draw_curves(read_series(metrics), about), folder / "curves.png", self.formats)
        print(f"\n{text}\n", *next_lines(folder, self.origins.recipe), sep="\n", flush=True)

    def _measured(self, trainer: pl.Trainer, of: str, clips: int) -> None:
        log_dir = trainer.log_dir  # a broadcast: every rank has to ask
        if not trainer.is_global_zero:
            return
        rows = rows_of(held_out(trainer), clips)
        lines = [f"{self._title()}, {of}", *_coverage(trainer)]
        text = write_table(Path(log_dir), rows, lines) if log_dir else _text(rows, lines)
        print(f"\n{text}", flush=True)

    def _title(self) -> str:
        recipe, commit = self.origins.recipe, self.origins.commit
        name = recipe.get("run", {}).get("name", "a run")
        seed = f", seed {recipe['seed_everything']}" if "seed_everything" in recipe else ""
        return f"{name}{seed}" + (f", commit {commit[:7]}" if commit else "")


def write_table(folder: Path, rows: list[Row], lines: list[str]) -> str:
    """Write a table as `table.md`, `table.csv` and `table.tex` of a folder.

    Args:
        folder: The folder; it is made where it is missing.
        rows: Rows of the table.
        lines: What stands over it, and what it rests on.

    Returns:
        The text of `table.md`.
    """
    text = _text(rows, lines)
    folder.mkdir(parents=True, exist_ok=True)
    files.write(folder / "table.md", text + "\n")
    files.write(folder / "table.csv", comma_separated(rows))
    files.write(folder / "table.tex", latex(rows))
    return text


def next_lines(folder: Path, recipe: Mapping[str, Any]) -> list[str]:
    """Where a run left what, and the command that uses it."""
    lines = [f"run folder: {folder}"]
    pictures = sorted(path.name for path in folder.glob("*.png"))
    if pictures:
        lines.append(f"pictures:   {', '.join(pictures)}")
    if (folder / ARTIFACT).exists():
        kind = artifacts.read_card(folder / ARTIFACT).kind
        lines.append(f"artifact:   {folder / ARTIFACT} ({kind})")
        if kind in NEXT:
            drawing = recipe.get("model", {}).get("init_args", {}).get("drawing") or {}
            generator = drawing.get("init_args", {}).get("generator")
            command = NEXT[kind].format(artifact=folder / ARTIFACT)
            with_it = f" --generator {generator}" if kind == "audio-encoder" and generator else ""
            lines.append(f"next:       {command}{with_it}")
    return lines


def told(seconds: int) -> str:
    """A time as a reader says it: `4 min 31 s`."""
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % 60} s"


def _text(rows: list[Row], lines: list[str]) -> str:
    about = bounds_explained(rows)
    return "\n".join([lines[0], "", markdown(rows), *(["", about] if about else []), *lines[1:]])


def _coverage(trainer: pl.Trainer) -> list[str]:
    data = data_of(trainer)
    covered = data.coverage() if isinstance(data, Documented) else {}
    return ["", coverage_line(covered)] if covered else []
