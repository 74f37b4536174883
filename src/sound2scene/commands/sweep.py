"""Run a sweep of W&B's format here, without an account."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from sound2scene.commands.parser import TERMINATED, Command, Option, Seed

if TYPE_CHECKING:
    from sound2scene.commands.sweep_trials import Trial
    from sound2scene.runs import Aim


def sweep(
    file: Path,
    *,
    output: Annotated[Path | None, Option("-o", "--output", writes=True)] = None,
    count: Annotated[int | None, Option("-n", at_least=1)] = None,
    parallel: Annotated[int, Option(between=(1, 1024))] = 1,
    seed: Seed = 0,
    trial: Annotated[int | None, Option(at_least=0)] = None,
    table: bool = False,
) -> int:
    """Run a sweep of W&B's format here, without an account; status 1 if a trial failed.

    Each trial is a run folder, made by `sound2scene fit` in a process of its own. The same command goes on
    with a sweep that was stopped or killed: finished and failed trials are not repeated, begun ones go on.

    Args:
        file: Sweep in W&B's format, of method grid or random.
        output: Folder of the sweep; by default `runs/sweeps/` and the name of the file.
        count: Number of trials; by default `run_cap` of the file, or the whole grid.
        parallel: Trials at a time; they share the cores, and take turns through the GPUs.
        seed: Seed of random draws.
        trial: Run this trial alone, by its number from 0, and write no table (for arrays of a cluster).
        table: Run nothing; write table and picture of what is there.
    """
    from sound2scene.commands import sweep_file
    from sound2scene.commands.sweep_trials import Runner, Trial
    from sound2scene.types import InputError

    given, plain = sweep_file.read(file)
    folder = output or Path("runs", "sweeps", file.stem)
    words = sweep_file.words(given, file)
    trials = [
        Trial(number, folder / "trials" / f"{number:03d}", values, words)
        for number, values in enumerate(sweep_file.trials(given, file, count, seed))
    ]
    if trial is not None and trial >= len(trials):
        raise InputError(f"--trial {trial}: the sweep has trials 0 to {len(trials) - 1}")
    keep_plan(folder, sweep_file.plan(plain, seed))
    runner = Runner(parallel)
    if not table:
        stopped = runner.run(trials if trial is None else [trials[trial]])
        if stopped == signal.SIGINT:
            raise KeyboardInterrupt
        if stopped:
            print("sound2scene: stopped by SIGTERM; run the same command again to go on", file=sys.stderr)
            return TERMINATED
    if trial is not None:
        return 0 if trials[trial].state() == "finished" else 1
    return finish(folder, trials, sweep_file.aim(given))


def keep_plan(folder: Path, plan: str) -> None:
    """Write down what the folder is a sweep of; more trials may follow, others may not.

    Raises:
        InputError: If it is one of other values or another seed.
    """
    from sound2scene import files
    from sound2scene.records import content
    from sound2scene.types import InputError

    path = files.make_folder(folder) / "sweep.json"
    if not path.exists():
        files.write(path, plan)
    elif content(path, "choose another --output").decode(errors="replace") != plan:
        raise InputError(f"{path}: of other values or another seed; choose another --output, or take those")


def finish(folder: Path, trials: Sequence[Trial], aim: Aim | None) -> int:
    """Write table and picture, and say how the trials came out; status 1 if one failed."""
    from sound2scene.commands.sweep_results import ranked, result, write_results

    results = ranked([result(one, aim) for one in trials], aim is not None and aim.smaller_is_better)
    figure = aim.monitor if aim else "best figure"
    print(f"\n{write_results(folder, results, figure)}\n{folder}: table.md, table.csv, parallel.png")
    counts = Counter(one.state for one in results)
    print(
        f"{len(results)} trials: {', '.join(f'{count} {state}' for state, count in sorted(counts.items()))}"
    )
    failed = [one for one in results if one.state == "failed"]
    for one in failed:
        print(
            f"sound2scene: trial {one.trial.number} failed: {one.said}; {one.trial.folder}", file=sys.stderr
        )
    return 1 if failed else 0


COMMAND: Command = sweep
