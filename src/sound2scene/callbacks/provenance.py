"""Where a run comes from: recipe, command, commit, versions and data, written before its first step."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any

import pytorch_lightning as pl

from sound2scene import checkpoints, files, machine
from sound2scene.lightning import batches_trained, data_of, device_of, is_dry_run
from sound2scene.protocols import Documented
from sound2scene.records import Record
from sound2scene.runs import PROVENANCE

PACKAGES = (
    "sound2scene",
    "torch",
    "torchvision",
    "torchaudio",
    "pytorch-lightning",
    "timm",
    "torchmetrics",
    "numpy",
)


@dataclass
class Origins:
    """Where a run comes from, for whoever writes something that should say so; filled when the run is set up.

    Attributes:
        recipe: The whole recipe as plain data, defaults included.
        commit: Commit of the code; None outside its checkout.
        data: Fingerprint of each split of the data.
        coverage: How much of its source the data covers.
    """

    recipe: dict[str, Any] = field(default_factory=dict)
    commit: str | None = None
    data: dict[str, str] = field(default_factory=dict)
    coverage: dict[str, dict[str, int]] = field(default_factory=dict)


class Provenance(pl.Callback):
    """Writes `recipe.yaml` and `provenance.json` into the run folder before the first step.

    `provenance.json` also keeps how the run fares: it says `running` from the start and, when the run ends,
    `finished`, `stopped` (Ctrl-C, SIGTERM) or `failed`, with times and peak memory; a killed run stays
    `running` under the name of a process that is no more. It is renewed after each validation.
    LightningCLI's own saver is off: it collides with W&B's folder and refuses to write twice.

    Args:
        recipe_yaml: The whole recipe as parsed, defaults included.
        origins: Holds the same as plain data; what else is known is filled in for whoever shares it.
    """

    def __init__(self, recipe_yaml: str, origins: Origins) -> None:
        self.recipe_yaml, self.origins = recipe_yaml, origins
        self._folder: Path | None = None  # on the first rank, between start and end
        self._about: dict[str, Any] = {}
        self._start_s = 0.0

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Fill in what is known, and write it on the first rank."""
        data, origins = data_of(trainer), self.origins
        if isinstance(data, Documented):
            origins.data, origins.coverage = data.fingerprints(), data.coverage()
        origins.commit, changed = commit_of_code()
        run = origins.recipe.get("run") or {}
        about = {
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "stage": stage,
            "run": run.get("name"),
            "aim": run.get("best"),
            "commit": origins.commit,
            "changed_files": changed,
            "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
            "device": machine.device_model(device_of(trainer)),
            "processes": trainer.world_size,
            "host": machine.host(),
            "batch": batch_of(trainer, origins.recipe),
            "data": origins.data,
            "coverage": origins.coverage,
        }
        log_dir = trainer.log_dir  # a broadcast: every rank has to ask
        if trainer.is_global_zero and log_dir and not is_dry_run(trainer):
            folder = Path(log_dir)
            folder.mkdir(parents=True, exist_ok=True)
            if (folder / PROVENANCE).exists():  # of a run that goes on in its own folder
                about["resumed"] = earlier(_BEFORE.read(folder / PROVENANCE))
            files.write(folder / "recipe.yaml", self.recipe_yaml)
            self._folder, self._about, self._start_s = folder, about, monotonic()
            about |= {"process": files.this_process(), "started": _now(), "ended": None}
            self._write(trainer, "running")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Renew time and memory, so that they are known of a run that is killed later."""
        self._write(trainer, "running")

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Say that the run was stopped, or failed and by what."""
        is_stopped = isinstance(exception, (KeyboardInterrupt, SystemExit))  # SIGTERM is one, to Lightning
        if not is_stopped:
            self._about["error"] = f"{type(exception).__name__}: {' '.join(str(exception).split())[:500]}"
        self._end(trainer, "stopped" if is_stopped else "failed")

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Say that the run came to its end."""
        self._end(trainer, "finished")

    def _end(self, trainer: pl.Trainer, state: str) -> None:
        self._about["ended"] = _now()
        self._write(trainer, state)
        self._folder = None

    def _write(self, trainer: pl.Trainer, state: str) -> None:
        if self._folder is None:
            return
        self._about |= {
            "state": state,
            "seconds": round(monotonic() - self._start_s, 1),
            "batches": batches_trained(trainer),
            "peak_memory_gib": {
                "host": machine.peak_host_gib(),
                "device": machine.peak_device_gib(device_of(trainer)),
            },
        }
        files.write(self._folder / PROVENANCE, json.dumps(self._about, indent=1) + "\n")


_BEFORE = Record(dict[str, Any], "delete it, and the run goes on without what it recorded before")


def earlier(about: dict[str, Any]) -> list[dict[str, Any]]:
    """What a run folder held before it went on, oldest first: records beside each other, however many."""
    before: Any = about.pop("resumed", [])
    return [*(before if isinstance(before, list) else earlier(before)), about]


def batch_of(trainer: pl.Trainer, recipe: Mapping[str, Any]) -> dict[str, int] | None:
    """Clips of one step: of a process, and over all of them; None of a recipe that names no batch."""
    given = ((recipe.get("data") or {}).get("init_args") or {}).get("batch_size")
    if not isinstance(given, int):
        return None
    steps = trainer.accumulate_grad_batches
    return {
        "per_process": given,
        "accumulated": steps,
        "all_processes": given * steps * trainer.world_size,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class Resuming(pl.Callback):
    """Writes into each checkpoint what it belongs to, and compares the one that a run starts from.

    Args:
        checkpoint: What the run starts from, as `sound2scene.checkpoints.read` gives it; None for nothing.
        path: Its file, for messages.
        origins: Where the run comes from; filled before this callback's turn.
    """

    def __init__(self, checkpoint: Mapping[str, Any] | None, path: str, origins: Origins) -> None:
        self.checkpoint, self.path, self.origins = checkpoint, path, origins

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Compare, before anything is restored.

        Raises:
            InputError: If the checkpoint is another stage's, of other sizes or, to go on with, of another
                recipe or other data.
        """
        if self.checkpoint is None:
            return
        checkpoints.check_fits(self.checkpoint, pl_module, self.path)
        if stage == "fit":
            model = self.origins.recipe.get("model", {})
            checkpoints.check_resumes(self.checkpoint, model, self.origins.data, self.path)
        self.checkpoint = None  # its memory is no longer needed

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Note stage, model and data."""
        checkpoint[checkpoints.ORIGIN] = {
            "stage": type(pl_module).__name__,
            "model": self.origins.recipe.get("model", {}),
            "data": self.origins.data,
        }


def commit_of_code() -> tuple[str | None, int]:
    """Commit of the package's checkout and number of files that differ from it; (None, 0) outside of one."""
    package = Path(__file__).resolve().parents[1]
    try:
        # Refused for a package that is merely installed below someone else's checkout.
        _git(package, "ls-files", "--error-unmatch", "__init__.py")
        commit = _git(package, "rev-parse", "HEAD").strip()
        changed = _git(package, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None, 0
    return commit, len(changed.splitlines())


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout
