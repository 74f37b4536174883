"""Put the artifact of a run where others look for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from sound2scene.commands.parser import Command, Option


def publish(
    run_folder: Path, *, folder: Annotated[Path | None, Option("-o", "--output", writes=True)] = None
) -> None:
    """Publish the best state of a run, whatever is there; that is kept aside as FOLDER.before.

    Args:
        run_folder: Folder of the run.
        folder: Where others look for the artifact; by default what the run's recipe names.
    """
    from sound2scene import artifacts
    from sound2scene.callbacks import publish as published
    from sound2scene.callbacks.export import ARTIFACT
    from sound2scene.types import InputError

    recipe = artifacts.read_card(run_folder / ARTIFACT).origin.recipe
    named = recipe.get("run", {}).get("publish") if isinstance(recipe, dict) else None
    target = folder or named
    if target is None:
        raise InputError(f"{run_folder}: its recipe names no place (run.publish); give -o FOLDER")
    print(published.publish(run_folder / ARTIFACT, target))


COMMAND: Command = publish
