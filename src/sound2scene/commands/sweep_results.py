"""What a sweep ends in: a table of its trials, best first, as Markdown and CSV, and a picture."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sound2scene import files
from sound2scene.commands.run_folders import Figure
from sound2scene.commands.sweep_trials import Trial
from sound2scene.figures.panels import save
from sound2scene.figures.parallel import Axis, draw_parallel
from sound2scene.runs import Aim
from sound2scene.tables import comma_separated, markdown

ARGUMENTS = ("init_args", "class_path")


@dataclass(frozen=True)
class Result:
    """How a trial came out.

    Attributes:
        trial: The trial.
        state: How it fares.
        best: Its figure, of its best validation.
        hours: Time that it took.
        folder: Its run folder; that of the trial where it left none.
        said: What a failed one failed by.
    """

    trial: Trial
    state: str
    best: Figure | None
    hours: float
    folder: Path
    said: str


def result(trial: Trial, aim: Aim | None) -> Result:
    """How a trial came out.

    Args:
        trial: The trial.
        aim: Which validation is the best; None asks the run's own recipe.
    """
    state, run = trial.state(), trial.run()
    if run is None:
        return Result(trial, state, None, 0.0, trial.folder, trial.ended().said)
    said = (trial.ended().said or run.about.error or "") if state == "failed" else ""
    return Result(trial, state, run.best(aim), run.hours, run.path, said)


def ranked(results: Sequence[Result], smaller_is_better: bool) -> list[Result]:
    """Best first, then those without a figure, by their numbers."""

    def rank(one: Result) -> tuple[bool, float, int]:
        value = 0.0 if one.best is None else one.best.value
        return one.best is None, value if smaller_is_better else -value, one.trial.number

    return sorted(results, key=rank)


def write_results(folder: Path, results: Sequence[Result], figure: str) -> str:
    """Write `table.md`, `table.csv` and `parallel.png`.

    Args:
        folder: Folder of the sweep.
        results: Trials, best first.
        figure: Name of the figure that decides.

    Returns:
        The table as Markdown.
    """
    keys = varied([one.trial for one in results])
    short = labels(keys)
    name = next((one.best.name for one in results if one.best is not None), figure)
    head = ["trial", "state", *short, name, "at step", "hours", "run folder"]
    table = markdown(head, [_row(one, keys, shown, folder) for one in results])
    failed = [f"- trial {one.trial.number} failed: {one.said}\n" for one in results if one.state == "failed"]
    files.write(folder / "table.md", table + ("\n" + "".join(failed) if failed else ""))
    plain = ["trial", "state", *keys, name, "step", "hours", "folder"]
    rows = [_row(one, keys, _raw, folder) for one in results]
    files.write(folder / "table.csv", comma_separated(plain, rows))
    drawn = [one for one in results if one.best is not None]
    axes = [
        Axis(label, [_number_or_word(one.trial.values[key]) for one in drawn])
        for label, key in zip(short, keys, strict=True)
    ]
    figures = [one.best.value for one in drawn if one.best is not None]
    save(
        draw_parallel(axes, Axis(name, figures), [one.trial.number for one in drawn]),
        folder / "parallel.png",
    )
    return table


def varied(trials: Sequence[Trial]) -> list[str]:
    """Keys whose values differ between trials; all of them where there is one trial."""
    keys = list(trials[0].values) if trials else []
    return [key for key in keys if len(trials) == 1 or len({repr(one.values[key]) for one in trials}) > 1]


def labels(keys: Sequence[str]) -> list[str]:
    """The shortest endings of dotted keys that tell them apart."""
    parts = [[part for part in key.split(".") if part not in ARGUMENTS] or [key] for key in keys]
    found = []
    for own in parts:
        length = 1
        while length < len(own) and sum(other[-length:] == own[-length:] for other in parts) > 1:
            length += 1
        found.append(".".join(own[-length:]))
    return found


def shown(value: object) -> str:
    """A value in few letters: a class by its own name, with what it is given."""
    if isinstance(value, dict) and "class_path" in value:
        given = ", ".join(f"{key}={shown(one)}" for key, one in (value.get("init_args") or {}).items())
        return shown(value["class_path"]) + (f"({given})" if given else "")
    if isinstance(value, float):
        return f"{value:.4g}"
    return value.rpartition(".")[2] if isinstance(value, str) and "/" not in value else str(value)


def _row(one: Result, keys: Sequence[str], write: Callable[[object], str], folder: Path) -> list[str]:
    values = [write(one.trial.values[key]) for key in keys]
    value, step = ("", "") if one.best is None else (f"{one.best.value:.6g}", str(one.best.step))
    run = os.path.relpath(one.folder, folder)
    return [str(one.trial.number), one.state, *values, value, step, f"{one.hours:.2f}", run]


def _raw(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _number_or_word(value: object) -> float | str:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else shown(value)
