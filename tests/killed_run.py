"""Recipes run by the command in processes of their own: to the end, on two, or killed and gone on with."""

import os
import signal
from pathlib import Path

import pytorch_lightning as pl
import torch

import forked

TRAINER = Path(__file__).resolve().parents[1] / "experiments" / "trainer.yaml"


class PowerCut(pl.Callback):
    """Kills the process that trains.

    Args:
        after: Batches before it strikes.
    """

    def __init__(self, after: int) -> None:
        self.left = after

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: object) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def fit(recipe: Path, *more: str) -> tuple[str, ...]:
    """Arguments for `sound2scene fit` of a recipe on top of `experiments/trainer.yaml`."""
    return "fit", "-c", str(TRAINER), "-c", str(recipe), *more


def run(recipe: Path, *more: str) -> None:
    """Run to the end, which must be a good one."""
    ended = forked.run(forked.command, *fit(recipe, *more))
    assert ended.status == 0, ended.err[-3000:]


def run_on_two(recipe: Path, *more: str) -> None:
    """Run on two processes to a good end."""
    for ended in forked.run_pair(forked.command, *fit(recipe, "--trainer.devices=2", *more)):
        assert ended.status == 0, ended.err[-3000:]


def run_killed_and_on(recipe: Path, saved: Path, batches: int) -> None:
    """Kill a run after some batches, when its checkpoint `saved` is there, and go on from that to the end."""
    cut = ["--trainer.callbacks+=killed_run.PowerCut", f"--trainer.callbacks.after={batches}"]
    ended = forked.run(forked.command, *fit(recipe, *cut))
    assert ended.status == -signal.SIGKILL, ended.err[-3000:]
    assert 0 < torch.load(saved, weights_only=True)["global_step"] < batches
    (saved.parent / "last.ckpt").unlink(missing_ok=True)
    run(recipe, "--ckpt_path", str(saved))


def weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """State dict of the one checkpoint of that name among the runs under a folder."""
    (path,) = folder.glob(f"runs/*/*/version_*/checkpoints/{name}.ckpt")
    found: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return found
