"""Write what a stage has learned as an artifact into the run folder, whenever it is the best so far."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from sound2scene import artifacts
from sound2scene.callbacks.improvement import held_out
from sound2scene.callbacks.provenance import Origins
from sound2scene.lightning import facts_of, is_dry_run
from sound2scene.protocols import Exporting

ARTIFACT = "artifact"


class ExportArtifact:
    """Keeps the stage's best network as `artifact` in the run folder, with its card; a listener of `Best`.

    A stage that has nothing to export leaves none.

    Args:
        origins: Where the run comes from, for the card.
        licence: Terms of the weights, for the card.
    """

    def __init__(self, origins: Origins, licence: str | None = None) -> None:
        self.origins, self.licence = origins, licence

    def improved(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write weights and card on the first rank, all or nothing."""
        log_dir = trainer.log_dir  # a broadcast: every rank has to ask
        if not isinstance(pl_module, Exporting) or log_dir is None or is_dry_run(trainer):
            return
        if not trainer.is_global_zero:
            return
        network, kind, preset, notes = pl_module.exports()
        stamp: dict[str, Any] = {"coverage": self.origins.coverage} if self.origins.coverage else {}
        stamp |= {"held_out": self.origins.data["val"]} if "val" in self.origins.data else {}
        if name := facts_of(trainer).name:
            stamp["data"] = name
        card = {
            "kind": kind,
            "preset": preset,
            "metrics": held_out(trainer),
            "notes": notes | {"step": trainer.global_step, "epoch": trainer.current_epoch} | stamp,
            "licence": self.licence,
            "recipe": self.origins.recipe,
            "commit": self.origins.commit,
            "data_fingerprint": self.origins.data.get("train"),
        }
        artifacts.save(network, Path(log_dir) / ARTIFACT, card=card)
