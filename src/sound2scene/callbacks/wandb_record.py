"""What a run on Weights & Biases holds beside its curves: recipe, data, pictures, table and artifact."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import WandbLogger

from sound2scene.artifacts import read_card
from sound2scene.callbacks.export import ARTIFACT
from sound2scene.callbacks.provenance import Origins


class WandbRecord(pl.Callback):
    """Hands to W&B what the run folder holds; does nothing for a run without W&B.

    Args:
        origins: Where the run comes from; recipe, commit and fingerprints become the config.
    """

    def __init__(self, origins: Origins) -> None:
        self.origins = origins
        self._seen: dict[str, int] = {}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Recipe and data as the config."""
        if (run := _run(trainer)) is not None:
            about = {"commit": self.origins.commit, "data": self.origins.data}
            run.config.update(self.origins.recipe | {"origin": about}, allow_val_change=True)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Pictures that are new or were drawn again."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            run, log_dir = _run(trainer), trainer.log_dir  # a broadcast: every rank has to ask
            if run is not None and log_dir is not None:
                self._show(run, Path(log_dir))

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Last pictures, the table, and the artifact with its card."""
        run, log_dir = _run(trainer), trainer.log_dir  # a broadcast: every rank has to ask
        if run is None or log_dir is None:
            return
        import wandb

        folder = Path(log_dir)
        self._show(run, folder)
        if (folder / "table.csv").exists():
            with (folder / "table.csv").open(newline="", encoding="utf-8") as file:
                head, *rows = csv.reader(file)
            data: list[Any] = list(rows)
            columns: list[Any] = list(head)
            run.log({"table": wandb.Table(columns=columns, data=data)})
        if (folder / ARTIFACT).exists():
            card = read_card(folder / ARTIFACT)
            about = {"kind": card.kind, "fingerprint": card.fingerprint, "metrics": card.metrics}
            artifact = wandb.Artifact(f"{run.name}-{card.kind}", type=card.kind, metadata=about)
            artifact.add_dir(str(folder / ARTIFACT))
            run.log_artifact(artifact)

    def _show(self, run: Any, folder: Path) -> None:
        import wandb

        pictures = {}
        for path in sorted(folder.rglob("*.png")):
            name, written = path.relative_to(folder).as_posix(), path.stat().st_mtime_ns
            if not name.startswith("wandb/") and self._seen.get(name) != written:
                self._seen[name] = written
                pictures[f"pictures/{name.removesuffix('.png')}"] = wandb.Image(str(path))
        if pictures:
            run.log(pictures)


def _run(trainer: pl.Trainer) -> Any:
    """The W&B run, on the first rank."""
    logger = next((one for one in trainer.loggers if isinstance(one, WandbLogger)), None)
    return logger.experiment if logger is not None and trainer.is_global_zero else None
