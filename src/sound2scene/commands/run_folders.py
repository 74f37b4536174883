"""Runs as their folders tell of them, for whoever lists or compares them; no network is loaded."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sound2scene import files, folders
from sound2scene.records import Record
from sound2scene.runs import LAST, PROVENANCE, Aim
from sound2scene.types import InputError

CHECKPOINTS = ("best.ckpt", LAST)
STATES = ("running", "finished", "stopped", "failed", "unknown")


@dataclass(frozen=True)
class Peak:
    """Most memory that the first process held, in GiB; None where nobody can say."""

    host: float | None = None
    device: float | None = None


@dataclass(frozen=True)
class Batch:
    """Clips of one step over all processes."""

    all_processes: int


@dataclass(frozen=True)
class Sitting:
    """One stretch of a run, from its start or resumption to its end.

    Attributes:
        state: How the run fared when this was written; `unknown` of runs older than that.
        process: Who ran it, see `sound2scene.files.has_ended`.
        started: When, in UTC.
        seconds: How long, as far as that was written down.
        device: Model of the device.
        processes: Number of processes, each with a device.
        peak_memory_gib: Most memory held.
        error: What a failed run failed by.
    """

    state: str = "unknown"
    process: str = ""
    started: str | None = None
    seconds: float = 0.0
    device: str = "unknown"
    processes: int = 1
    peak_memory_gib: Peak = Peak()
    error: str | None = None


@dataclass(frozen=True)
class About(Sitting):
    """What `provenance.json` holds of a run.

    Attributes:
        run: `stage/recipe`.
        stage: `fit`, `validate`, `test` or `predict`.
        aim: Which validation is its best.
        commit: Commit of the code.
        batch: Clips of one step.
        resumed: The stretches before this one.
    """

    run: str | None = None
    stage: str = "fit"
    aim: Aim | None = None
    commit: str | None = None
    batch: Batch | None = None
    resumed: list[Sitting] | Sitting = field(default_factory=list)


ABOUT = Record(About, "its run is left out")


@dataclass(frozen=True)
class Figure:
    """A held-out figure of a run, and the step at which it was measured."""

    name: str
    value: float
    step: int


@dataclass(frozen=True)
class RunFolder:
    """A run by its folder.

    Attributes:
        path: The folder.
        about: What it wrote of itself.
        rows: Its log, a figure by its name.
    """

    path: Path
    about: About
    rows: list[dict[str, float]]

    @property
    def recipe(self) -> str:
        """`stage/recipe`, or the folder above where the run does not say."""
        return self.about.run or self.path.parent.name

    @property
    def state(self) -> str:
        """`running`, `finished`, `stopped`, `failed` or `unknown`; stopped, where its process is gone."""
        found = self.about.state if self.about.state in STATES else "unknown"
        return "stopped" if found == "running" and files.has_ended(self.about.process) else found

    @property
    def step(self) -> int:
        """Last step of which the log tells."""
        return int(max((row["step"] for row in self.rows), default=0))

    @property
    def sittings(self) -> list[Sitting]:
        """The stretches of the run, oldest first."""
        before = self.about.resumed
        return [*(before if isinstance(before, list) else [before]), self.about]

    @property
    def hours(self) -> float:
        """Time that the run took, over all its stretches; of one that runs, until now."""
        seconds = sum(one.seconds for one in self.sittings)
        if self.state == "running" and self.about.started:
            begun = datetime.fromisoformat(self.about.started)
            seconds += max(0.0, (datetime.now(UTC) - begun).total_seconds() - self.about.seconds)
        return seconds / 3600

    def checkpoints(self) -> list[Path]:
        """Its checkpoints, the best one first."""
        return [path for name in CHECKPOINTS if (path := self.path / "checkpoints" / name).is_file()]

    def best(self, aim: Aim | None = None) -> Figure | None:
        """The figure of its best validation; None if it has none yet.

        Args:
            aim: Which validation is the best; by default as the run's own recipe says.
        """
        aim = aim or self.about.aim
        if aim is None:
            return None
        best: tuple[tuple[float, float], Figure] | None = None
        for row in self.rows:
            names = [name for name in row if name == aim.monitor or name.startswith(f"{aim.monitor}/")]
            # A validation that lacks a figure is none that could be the best.
            if len(names) != 1 or (aim.tie_break is not None and not _has(row, aim.tie_break)):
                continue
            score = aim.score(row)
            if not math.isnan(score[0]) and (best is None or score > best[0]):
                best = score, Figure(names[0], row[names[0]], int(row["step"]))
        return None if best is None else best[1]


def run_folder(path: Path) -> RunFolder:
    """The run of one folder.

    Raises:
        InputError: If it holds none, or its records are damaged.
    """
    about = ABOUT.read(path / PROVENANCE)
    metrics = path / "metrics.csv"
    return RunFolder(path, about, read_rows(metrics) if metrics.is_file() else [])


def run_folders(folder: Path) -> Iterator[RunFolder | InputError]:
    """Every run below a folder, oldest first; an error in place of one whose records are damaged.

    Raises:
        InputError: If there is no such folder.
    """
    found = [_or_error(path.parent) for path in folders.walked(folder) if path.name == PROVENANCE]
    yield from (one for one in found if isinstance(one, InputError))
    runs = [one for one in found if isinstance(one, RunFolder)]
    yield from sorted(runs, key=lambda run: (run.sittings[0].started or "", str(run.path)))


def read_rows(metrics: Path) -> list[dict[str, float]]:
    """Rows of a run's log: the figures that each of them holds.

    Raises:
        InputError: If it is no log.
    """
    try:
        with metrics.open(newline="", encoding="utf-8") as file:
            rows = [{name: float(text) for name, text in row.items() if text} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise InputError(f"{metrics}: no log of a run ({' '.join(str(error).split())[:100]})") from None
    if not all(math.isfinite(row.get("step", math.nan)) for row in rows):
        raise InputError(f"{metrics}: no log of a run (a row without its step)")
    return rows


def _or_error(path: Path) -> RunFolder | InputError:
    try:
        return run_folder(path)
    except InputError as error:
        return error


def _has(row: dict[str, float], wanted: str) -> bool:
    return any(name == wanted or name.startswith(f"{wanted}/") for name in row)
