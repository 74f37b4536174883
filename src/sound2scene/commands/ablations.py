"""Train recipes that differ from a base in one choice, over several seeds, and compare them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from sound2scene.commands.parser import TERMINATED, Command, Option

if TYPE_CHECKING:
    from sound2scene.commands.sweep_trials import Trial

RECIPES = Path("experiments")
MEASURED = ("--data.init_args.frame", "true")  # all by the same pictures, whatever they learned from
TEST_LOG = "test.txt"
MOST_SEED = 2**32 - 1


def ablations(
    recipes: list[Path],
    *,
    output: Annotated[Path, Option("-o", "--output", writes=True)] = Path("runs/ablations"),
    base: Path = RECIPES / "align" / "toy.yaml",
    seeds: Annotated[list[int] | None, Option(between=(0, MOST_SEED))] = None,
    length: Annotated[float | None, Option(above=0)] = None,
    parallel: Annotated[int, Option(between=(1, 1024))] = 1,
    wandb: bool = False,
) -> int:
    """Train recipes that differ from a base in one choice, over several seeds; status 1 if a run failed.

    The same command goes on with what was stopped; further recipes and seeds may be asked for later.

    Args:
        recipes: Diffs on top of the base; differences are told to the one that is called base.yaml.
        output: Folder of the runs, of table.md and of table.csv.
        base: Recipe below all of them.
        seeds: Seeds of each recipe; by default 0, 1 and 2.
        length: Epochs of each run, a share of one below 1; by default as the recipes say.
        parallel: Runs at a time; they share the cores.
        wandb: Also log to Weights & Biases, in one group.
    """
    from sound2scene.commands.sweep_trials import Runner

    numbers = seeds or [0, 1, 2]
    trials = trials_of(recipes, base, numbers, length, output, wandb)
    flat = [trial for by_seed in trials.values() for trial in by_seed.values()]
    runner = Runner(parallel)
    stopped = runner.run(flat)
    if stopped == signal.SIGINT:
        raise KeyboardInterrupt
    if stopped:
        print("sound2scene: stopped by SIGTERM; run the same command again to go on", file=sys.stderr)
        return TERMINATED
    return _finish(output, trials, numbers)


def trials_of(
    recipes: Sequence[Path],
    base: Path,
    seeds: Sequence[int],
    length: float | None,
    output: Path,
    wandb: bool = False,
) -> dict[str, dict[int, Trial]]:
    """The runs of each recipe and seed.

    Raises:
        InputError: If a recipe cannot be read, two have one name, or the folder holds runs of another one.
    """
    from sound2scene.commands.keys import SHARED, merged
    from sound2scene.commands.sweep import keep_plan
    from sound2scene.commands.sweep_trials import Trial
    from sound2scene.types import InputError

    shared = base.parent.parent / SHARED
    found: dict[str, dict[int, Trial]] = {}
    for recipe in recipes:
        if recipe.stem in found:
            raise InputError(f"{recipe}: another recipe has this name; rename one of them")
        whole = {"recipe": merged([shared, base, recipe]), "length": length}
        folder = output / "trials" / recipe.stem
        keep_plan(folder, json.dumps(whole, indent=1, sort_keys=True, default=str) + "\n")
        words = [word for path in (shared, base, recipe) for word in ("-c", str(path))]
        words += _limits(length)
        begun = sum(map(len, found.values()))  # trials are counted over all recipes, for the lines they print
        found[recipe.stem] = {
            seed: Trial(number, folder / f"seed-{seed}", {"seed_everything": seed}, words, wandb)
            for number, seed in enumerate(dict.fromkeys(seeds), begun)
        }
    return found


def _limits(length: float | None) -> list[str]:
    if length is None:
        return []
    if length < 1:
        return ["--trainer.max_epochs=1", f"--trainer.limit_train_batches={length}"]
    return [f"--trainer.max_epochs={round(length)}"]


def _finish(folder: Path, trials: Mapping[str, Mapping[int, Trial]], seeds: Sequence[int]) -> int:
    """Measure what is trained, and write the table; status 1 if something is missing."""
    from sound2scene import files
    from sound2scene.commands.ablation_table import as_markdown, comma_separated, figures_of, rows_of

    measured: dict[str, dict[int, dict[str, float]]] = {}
    failed = 0
    for recipe, by_seed in trials.items():
        for seed, trial in by_seed.items():
            metrics = _metrics(trial)
            if metrics is None:
                failed += 1
                print(f"sound2scene: {recipe}, seed {seed}: {_said(trial)}; {trial.folder}", file=sys.stderr)
            else:
                measured.setdefault(recipe, {})[seed] = figures_of(metrics)
    rows = rows_of(measured)
    text = as_markdown(rows, seeds)
    files.write(folder / "table.md", text)
    files.write(folder / "table.csv", comma_separated(rows, seeds))
    print(f"\n{text}\n{folder}: table.md, table.csv")
    return 1 if failed else 0


def _metrics(trial: Trial) -> Path | None:
    """Log of the test of a finished run, which is made where it is missing; None where the run failed."""
    run = trial.run()
    if run is None or trial.state() != "finished":
        return None
    metrics = run.path / "test" / "metrics.csv"
    if not metrics.is_file():
        measure(run.path, trial.folder / TEST_LOG)
    return metrics if metrics.is_file() else None


def _said(trial: Trial) -> str:
    """What a run, or the test of a finished one, failed by."""
    from sound2scene.commands.sweep_trials import last_line

    if trial.state() != "finished":
        return f"failed: {trial.ended().said or 'it left no run'}"
    log = trial.folder / TEST_LOG
    return f"not measured: {last_line(log) if log.is_file() else 'its test left no figures'}"


def measure(run: Path, log: Path) -> None:
    """Run `sound2scene test` on a run folder, with what it says in a file."""
    words = ["test", str(run), *MEASURED, "--trainer.enable_progress_bar=false"]
    with log.open("wb") as file:
        command = [sys.executable, "-m", "sound2scene.cli", *words]
        subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=dict(os.environ), check=False)


COMMAND: Command = ablations
