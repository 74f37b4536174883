"""A run that goes on: from its folder to the arguments of `fit`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sound2scene.callbacks.last_checkpoint import LAST
from sound2scene.types import InputError


def resumption(arguments: Sequence[str]) -> tuple[Path, list[str]]:
    """Folder of the run that `fit --resume FOLDER` names, and the arguments with which it goes on.

    Raises:
        InputError: If the command is not `fit`, or there is no run that could go on.
    """
    position = arguments.index("--resume")
    rest = [*arguments[:position], *arguments[position + 2 :]]
    if rest[:1] != ["fit"] or "--ckpt_path" in rest or position + 1 >= len(arguments):
        raise InputError("--resume: give `sound2scene fit --resume RUNFOLDER`, without --ckpt_path")
    folder = Path(arguments[position + 1])
    recipe, last = folder / "recipe.yaml", folder / "checkpoints" / LAST
    for path in (recipe, last):
        if not path.is_file():
            raise InputError(f"{path}: not there, so nothing can go on from it; start the run anew")
    return folder, ["fit", "-c", str(recipe), *rest[1:], "--ckpt_path", str(last)]
