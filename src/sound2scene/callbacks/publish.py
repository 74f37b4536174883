"""From a run folder to the place where others look for an artifact: on request, or because it is better."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl

from sound2scene import artifacts
from sound2scene.callbacks.export import ARTIFACT
from sound2scene.card import Card
from sound2scene.runs import Aim
from sound2scene.types import InputError


class Publish(pl.Callback):
    """Publishes the artifact of a run that came to its end; a stopped or killed one publishes nothing.

    Args:
        folder: Where others look for the artifact.
        aim: Figure that tells which of two artifacts is better.
        replace: Replace one that is there even by one that is not better.
    """

    def __init__(self, folder: str, aim: Aim, replace: bool = False) -> None:
        self.folder, self.aim, self.replace = folder, aim, replace

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Publish on the first rank, and say what became of it.

        Raises:
            InputError: If the stage has nothing to export, or the folder holds anything but an artifact.
        """
        log_dir = trainer.log_dir  # a broadcast: every rank has to ask
        if not trainer.is_global_zero or log_dir is None:
            return
        found = Path(log_dir) / ARTIFACT
        if not found.exists():
            if trainer.current_epoch == 0 and trainer.global_step == 0:
                return
            raise InputError(f"{type(pl_module).__name__} has nothing to export; remove run.publish")
        reason = None if self.replace else why_not(found, Path(self.folder), self.aim)
        if reason is None:
            print(publish(found, self.folder), flush=True)
        else:
            print(
                f"{self.folder}: stays as it is, {reason}; `sound2scene publish {log_dir}` replaces it",
                flush=True,
            )


def publish(found: Path, folder: str | Path) -> str:
    """Copy an artifact to where others look for it; the one that is there is kept aside, once.

    Args:
        found: The artifact.
        folder: The place; what it replaces is kept as `<folder>.before`.

    Returns:
        What was done, in one line.

    Raises:
        InputError: If one of the two cannot be used.
    """
    target = Path(folder)
    if not target.exists():
        artifacts.copy(found, target)
        return f"{target}: published from {found}"
    before = target.with_name(f"{target.name}.before")
    artifacts.copy(target, before)
    artifacts.copy(found, target)
    return f"{target}: published from {found}; the one before is {before}"


def why_not(found: Path, target: Path, aim: Aim) -> str | None:
    """Why an artifact does not take the place of another by itself; None where it does.

    Args:
        found: The new artifact.
        target: The other one's place; nothing has to be there.
        aim: Figure that tells which one is better.
    """
    if not target.exists():
        return None
    new, old = artifacts.read_card(found), artifacts.read_card(target)
    if new.kind != old.kind:
        return f"its kind is {old.kind} and not {new.kind}"
    if _data(new) != _data(old):
        return "it was trained or measured on other data"
    try:
        scores = aim.score(new.metrics), aim.score(old.metrics)
        names = [_names(card, aim) for card in (new, old)]
    except InputError:
        names = [[], ["another figure"]]
    if names[0] != names[1]:
        return f"its card has no {aim.monitor} of the same protocol"
    if scores[0] > scores[1]:
        return None
    name = names[0][0]
    return f"it is not worse ({name} {old.metrics[name]:.4g}, here {new.metrics[name]:.4g})"


def _data(card: Card) -> tuple[object, object]:
    return card.origin.data_fingerprint, card.origin.notes.get("held_out")


def _names(card: Card, aim: Aim) -> list[str]:
    """Full names, protocols included, of the figures that are compared."""
    wanted = [aim.monitor, *([aim.tie_break] if aim.tie_break else [])]
    return [name for one in wanted for name in card.metrics if name == one or name.startswith(f"{one}/")]
