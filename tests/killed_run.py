"""Recipes run by the command in a process of its own: to the end, or killed as soon as there is a checkpoint."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

TRAINER = Path(__file__).resolve().parents[1] / "experiments" / "trainer.yaml"
LIMIT_S = 120


def command(recipe: Path, *more: str) -> list[str]:
    """`sound2scene fit` of a recipe on top of `experiments/trainer.yaml`."""
    return [sys.executable, "-m", "sound2scene.cli", "fit", "-c", str(TRAINER), "-c", str(recipe), *more]


def run(recipe: Path, *more: str) -> None:
    """Run to the end, which must be a good one."""
    done = subprocess.run(
        command(recipe, *more), env=_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def run_killed_and_on(recipe: Path, saved: Path, steps: int) -> None:
    """Kill a run when its first checkpoint `saved` is there, before its last of `steps`, and go on from it."""
    process = subprocess.Popen(command(recipe), env=_environment(), stdout=subprocess.DEVNULL)
    waited = time.monotonic()
    while not saved.exists():
        assert process.poll() is None, "the run ended before it was killed"
        assert time.monotonic() - waited < LIMIT_S
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert torch.load(saved, weights_only=True)["global_step"] < steps
    (saved.parent / "last.ckpt").unlink(missing_ok=True)
    run(recipe, "--ckpt_path", str(saved))


def weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """State dict of the one checkpoint of that name among the runs under a folder."""
    (path,) = folder.glob(f"runs/*/*/version_*/checkpoints/{name}.ckpt")
    found: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return found


def _environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}
