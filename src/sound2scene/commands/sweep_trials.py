"""The trials of a sweep: each a run folder, made by `sound2scene fit` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol

import torch

from sound2scene import files, machine
from sound2scene.commands.run_folders import RunFolder, run_folders
from sound2scene.commands.sweep_file import Values, arguments
from sound2scene.records import Record
from sound2scene.runs import LAST
from sound2scene.types import InputError

PAUSE_S = 0.2
LOG = "log.txt"


@dataclass(frozen=True)
class Ended:
    """How the process of a trial ended, in `trial.json`.

    Attributes:
        status: Exit status; None while nothing has ended.
        said: Last line that it wrote.
    """

    status: int | None = None
    said: str = ""


ENDED = Record(Ended, "remove its folder to begin the trial anew")


class Job(Protocol):
    """A process under way."""

    def poll(self) -> int | None:
        """Exit status; None while it runs."""
        ...

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        ...


Start = Callable[[Sequence[str], Path, Mapping[str, str]], Job]


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        number: Its number in the sweep, from 0.
        folder: Its folder: `trial.json`, what it wrote, and its run folder.
        values: Its values by their keys.
        words: What comes before the values on the command line of `fit`.
        wandb: Whether its run also logs to Weights & Biases.
    """

    number: int
    folder: Path
    values: Values
    words: Sequence[str]
    wandb: bool = False

    def run(self) -> RunFolder | None:
        """Its run; the last one where an earlier one left nothing to go on from.

        What measures a run (`sound2scene test`) leaves a record of its own inside the run's folder.
        """
        if not self.folder.is_dir():
            return None
        found = [one for one in run_folders(self.folder) if isinstance(one, RunFolder)]
        trained = [one for one in found if one.about.stage == "fit"]
        return trained[-1] if trained else None

    def ended(self) -> Ended:
        """How its process ended."""
        path = self.folder / "trial.json"
        return ENDED.read(path) if path.is_file() else Ended()

    def state(self) -> str:
        """`waiting`, `running`, `stopped`, `finished` or `failed`."""
        run, ended = self.run(), self.ended()
        if run is not None and run.state != "unknown":
            return run.state
        return "waiting" if ended.status is None or was_stopped(ended.status) else "failed"

    def command(self) -> list[str]:
        """Arguments of `sound2scene` that begin it, or go on with what it left."""
        run = self.run()
        if run is not None and (run.path / "checkpoints" / LAST).is_file():
            return ["fit", "--resume", str(run.path)]
        own = [f"--run.folder={self.folder}", f"--run.wandb={str(self.wandb).lower()}"]
        return ["fit", *self.words, *arguments(self.values), *own]

    def note(self, ended: Ended) -> None:
        """Write down how its process ended, and its values beside it."""
        about = {"values": self.values, "status": ended.status, "said": ended.said}
        files.write(self.folder / "trial.json", json.dumps(about, indent=1, default=str) + "\n")


def was_stopped(status: int) -> bool:
    """Whether a process was asked to stop, or killed, and may go on."""
    return status in (128 + signal.SIGINT, 128 + signal.SIGTERM) or status < 0


def start_process(words: Sequence[str], log: Path, environment: Mapping[str, str]) -> Job:
    """Start `sound2scene` with its output in a file, out of reach of the terminal's Ctrl-C."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "sound2scene.cli", *words],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,  # one Ctrl-C, which this process hands on, and not two
        )


class Runner:
    """Runs trials, so many at a time, until all have ended or Ctrl-C or SIGTERM comes.

    Args:
        parallel: Trials at a time.
        start: Starts a process; by default :func:`start_process`.
    """

    def __init__(self, parallel: int = 1, start: Start | None = None) -> None:
        self.parallel, self.start = parallel, start or start_process
        self.asked = 0  # the signal that asked to stop
        self._asked_twice = False
        self._running: dict[int, tuple[Trial, Job, ExitStack]] = {}

    def run(self, trials: Sequence[Trial]) -> int:
        """Run what is neither finished nor failed; a trial that another process runs is waited for.

        Returns:
            The signal by which this was stopped, or 0.
        """
        waiting = deque(trials)
        with ExitStack() as stack:
            if threading.current_thread() is threading.main_thread():
                for number in (signal.SIGINT, signal.SIGTERM):
                    stack.callback(signal.signal, number, signal.signal(number, self._ask))
            while self._running or (waiting and not self.asked):
                for _ in range(len(waiting) if not self.asked else 0):
                    self._begin(waiting)
                self._gather()
                time.sleep(PAUSE_S)
        return self.asked

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked_twice = self.asked != 0
        self.asked = number
        for _, job, _ in [*self._running.values()]:
            job.send_signal(signal.SIGKILL if self._asked_twice and os.name == "posix" else number)

    def _begin(self, waiting: deque[Trial]) -> None:
        """Start the next trial if a place is free; one that another process runs goes to the end."""
        places = set(range(self.parallel)) - self._running.keys()
        if not places:
            return
        trial = waiting.popleft()
        files.make_folder(trial.folder)
        with ExitStack() as stack:
            try:
                stack.enter_context(files.alone(trial.folder / "trial.json", wait=False))
            except InputError:
                waiting.append(trial)
                return
            state = trial.state()
            if state == "running":
                waiting.append(trial)
            elif state in ("waiting", "stopped"):
                place = min(places)
                self._running[place] = trial, self._started(trial, place), stack.pop_all()

    def _started(self, trial: Trial, place: int) -> Job:
        command = trial.command()
        word = "goes on" if command[1] == "--resume" else "begins"
        print(f"trial {trial.number}: {word} {' '.join(arguments(trial.values))}", flush=True)
        trial.note(Ended())
        return self.start(command, trial.folder / LOG, environment_of(place, self.parallel))

    def _gather(self) -> None:
        """Note and tell what has ended."""
        for place, (trial, job, stack) in [*self._running.items()]:
            status = job.poll()
            if status is None:
                continue
            trial.note(Ended(status, last_line(trial.folder / LOG) if status else ""))
            del self._running[place]
            stack.close()
            self._tell(trial, status)

    def _tell(self, trial: Trial, status: int) -> None:
        if status and was_stopped(status):
            told = f"stopped (status {status}), the same command goes on with it"
        elif status or trial.state() != "finished":
            told = f"failed (status {status}): {trial.ended().said or 'it left no run'}"
        else:
            told = "finished"
        print(f"trial {trial.number}: {told}; {trial.folder / LOG}", flush=True)


def environment_of(place: int, parallel: int) -> dict[str, str]:
    """Environment of a trial: its share of the cores, and a GPU of its own, where several run at a time."""
    environment = dict(os.environ)
    if parallel == 1:
        return environment
    environment.setdefault("OMP_NUM_THREADS", str(max(1, machine.host()["cores"] // parallel)))
    given = environment.get("CUDA_VISIBLE_DEVICES")
    devices = range(torch.cuda.device_count()) if given is None else filter(None, given.split(","))
    if named := [str(one) for one in devices]:
        environment["CUDA_VISIBLE_DEVICES"] = named[place % len(named)]
    return environment


def last_line(log: Path) -> str:
    """Last line of a log that says something."""
    with log.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
        lines = file.read().decode(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
