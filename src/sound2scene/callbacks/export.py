"""Write what a stage has learned as an artifact, whenever it is the best so far."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from sound2scene import artifacts
from sound2scene.callbacks.improvement import held_out
from sound2scene.callbacks.provenance import Origins
from sound2scene.lightning import facts_of
from sound2scene.protocols import Exporting
from sound2scene.types import InputError


class ExportArtifact:
    """Keeps an artifact of the stage's network at its best, with its card; a listener of `Best`.

    Args:
        folder: Folder of the artifact; one that is there is replaced.
        origins: Where the run comes from, for the card.
        licence: Terms of the weights, for the card.
    """

    def __init__(self, folder: str, origins: Origins, licence: str | None = None) -> None:
        self.folder, self.origins, self.licence = folder, origins, licence

    def improved(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write weights and card on the first rank, all or nothing.

        Raises:
            InputError: If the stage has nothing to export.
        """
        if not isinstance(pl_module, Exporting):
            raise InputError(f"{type(pl_module).__name__} has nothing to export; remove run.export")
        if not trainer.is_global_zero:
            return
        network, kind, preset, notes = pl_module.exports()
        stamp: dict[str, Any] = {"coverage": self.origins.coverage} if self.origins.coverage else {}
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
        artifacts.save(network, self.folder, card=card)
