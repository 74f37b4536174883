"""Write what a stage has learned as an artifact, whenever it is the best so far."""

from __future__ import annotations

from typing import cast

import pytorch_lightning as pl

from sound2scene import artifacts
from sound2scene.callbacks.improvement import OnImprovement, held_out
from sound2scene.protocols import Exporting


class ExportArtifact(OnImprovement):
    """Keeps an artifact of the stage's network at its best held-out score, with its card.

    Args:
        folder: Of the artifact; one that is there is replaced.
        monitor: Logged figure that decides; larger is better.
        licence: Terms of the weights, for the card.
    """

    def __init__(self, folder: str, monitor: str, licence: str | None = None) -> None:
        super().__init__(monitor)
        self.folder, self.licence = folder, licence

    @property
    def state_key(self) -> str:
        """Apart from other callbacks of the kind."""
        return f"ExportArtifact({self.folder})"

    def improved(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write weights and card, all or nothing."""
        network, kind, preset, notes = cast(Exporting, pl_module).exports()
        provenance = getattr(trainer, "provenance", {})
        covered = provenance.get("coverage")
        stamp = {"coverage": covered} if covered else {}
        card = {
            "kind": kind,
            "preset": preset,
            "metrics": held_out(trainer),
            "notes": notes | {"step": trainer.global_step, "epoch": trainer.current_epoch} | stamp,
            "licence": self.licence,
            "recipe": provenance.get("recipe"),
            "commit": provenance.get("commit"),
            "data_fingerprint": provenance.get("data", {}).get("train"),
        }
        artifacts.save(network, self.folder, card=card)
