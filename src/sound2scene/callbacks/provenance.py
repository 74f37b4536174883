"""Where a run comes from: recipe, command, commit, versions and data, written beside it before its first step."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from sound2scene.data.clips import ClipDataModule

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


class Provenance(pl.Callback):
    """Writes `recipe.yaml` and `provenance.json` into the run folder before the first step.

    LightningCLI's own saver is off: it collides with W&B's folder and refuses to write twice.

    Args:
        recipe_yaml: The whole recipe as parsed, defaults included.
        recipe: The same as plain data, for artifacts' cards.
    """

    def __init__(self, recipe_yaml: str, recipe: dict[str, Any]) -> None:
        self.recipe_yaml, self.recipe = recipe_yaml, recipe

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Write, on the first rank."""
        data: ClipDataModule = trainer.datamodule  # type: ignore[attr-defined]
        splits = data.fingerprints()
        commit, changed = commit_of_code()
        about = {
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "stage": stage,
            "commit": commit,
            "changed_files": changed,
            "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine(),
            "processes": trainer.world_size,
            "data": splits,
            "coverage": data.coverage(),
        }
        trainer.provenance = about | {"recipe": self.recipe}  # type: ignore[attr-defined]
        log_dir = trainer.log_dir  # a broadcast: every rank has to ask
        if trainer.is_global_zero and log_dir and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            folder = Path(log_dir)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "recipe.yaml").write_text(self.recipe_yaml)
            (folder / "provenance.json").write_text(json.dumps(about, indent=1) + "\n")


def commit_of_code() -> tuple[str | None, int]:
    """Commit that the package runs from, and how many tracked files differ from it; (None, 0) outside its checkout."""
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
