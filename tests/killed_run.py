"""Recipes run by the command in processes of their own: to the end, on two, or killed and gone on with."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

import forked

TRAINER = Path(__file__).resolve().parents[1] / "experiments" / "trainer.yaml"


class Interrupted(pl.Callback):
    """Sends the process that trains a signal in the middle of a batch, or some time after its beginning.

    Args:
        after: Batches before it comes.
        number: The signal.
        delay_s: Time to wait with it.
    """

    def __init__(self, after: int, number: int = int(signal.SIGKILL), delay_s: float | None = None) -> None:
        self.left, self.number, self.delay_s = after, number, delay_s

    def on_train_batch_start(self, trainer: pl.Trainer, *rest: object) -> None:
        self.left -= 1
        if self.left != 0:
            return
        if self.delay_s is None:
            os.kill(os.getpid(), self.number)
        else:
            threading.Timer(self.delay_s, os.kill, (os.getpid(), self.number)).start()


def fit(recipe: Path, *more: str) -> tuple[str, ...]:
    """Arguments for `sound2scene fit` of a recipe on top of `experiments/trainer.yaml`."""
    return "fit", "-c", str(TRAINER), "-c", str(recipe), *more


def run(recipe: Path, *more: str) -> None:
    """Run to the end, which must be a good one."""
    ended = forked.run(forked.command, *fit(recipe, *more))
    assert ended.status == 0, ended.err[-3000:]


def run_on_two(recipe: Path, *more: str) -> None:
    """Run on two processes to a good end."""
    pair = forked.run_pair(forked.command, *fit(recipe, "--trainer.devices=2", *more))
    # Where one fails the other is killed, which would tell nothing.
    for ended in sorted(pair, key=lambda one: one.status == -signal.SIGKILL):
        assert ended.status == 0, ended.err[-3000:]


def run_killed_and_on(recipe: Path, saved: Path, batches: int) -> None:
    """Kill a run after some batches, when its checkpoint `saved` is there, and go on from that to the end."""
    ended = run_interrupted(recipe, after=batches)
    assert ended.status == -signal.SIGKILL, ended.err[-3000:]
    assert 0 < torch.load(saved, weights_only=True)["global_step"] < batches
    go_on(saved.parents[1])


def run_interrupted(recipe: Path, *more: str, **when: Any) -> forked.Ended:
    """Start a run that gets a signal; see `Interrupted`."""
    named = [f"--trainer.callbacks.{name}={value}" for name, value in when.items()]
    interrupted = "--trainer.callbacks+=killed_run.Interrupted"
    return forked.run(forked.command, *fit(recipe, *more, interrupted, *named))


def go_on(folder: Path) -> None:
    """Go on with the run of a folder to its end, without the callback that stopped it."""
    ended = forked.run(forked.command, "fit", "--resume", str(folder), "--trainer.callbacks", "null")
    assert ended.status == 0, ended.err[-3000:]


def weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """State dict of the one checkpoint of that name among the runs under a folder."""
    (path,) = folder.glob(f"runs/*/*/version_*/checkpoints/{name}.ckpt")
    found: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return found
