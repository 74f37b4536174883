"""From the folder of a run to the arguments with which it goes on, or is measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sound2scene import files
from sound2scene.commands.run_folders import Sitting
from sound2scene.records import Record
from sound2scene.runs import LAST, PROVENANCE
from sound2scene.types import InputError

_LAST_SITTING = Record(Sitting, "delete it, and the run goes on without what it recorded before")


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
    if process := _running(folder):
        raise InputError(
            f"{folder}: is still trained by process {process}; let it end or stop it first (if that is "
            f"another program, delete {folder / PROVENANCE})"
        )
    return folder, ["fit", "-c", str(recipe), *rest[1:], "--ckpt_path", str(last)]


def _running(folder: Path) -> str | None:
    """The number of the process on this machine that trains a run, if there is one."""
    path = folder / PROVENANCE
    last = _LAST_SITTING.read(path) if path.exists() else Sitting()
    is_running = last.state == "running" and files.is_running(last.process)
    return last.process.rpartition("-")[2] if is_running else None


class Measured(NamedTuple):
    """How a run is measured by its folder.

    Attributes:
        folder: Where the figures go.
        arguments: Arguments of the command, with recipe and checkpoint.
    """

    folder: Path
    arguments: list[str]


def measurement(arguments: Sequence[str]) -> Measured | None:
    """What `validate|test|predict RUNFOLDER` stands for; None where no folder is named.

    The checkpoint is `best.ckpt`, or `last.ckpt` of a run that had no best; `--ckpt_path best` and `last`
    name them, too. The figures go into a folder of the command's name in the run folder.

    Raises:
        InputError: If the folder is none of a run, or the checkpoint is not there.
    """
    word, *rest = arguments
    if not rest or rest[0].startswith("-"):
        return None
    folder, rest = Path(rest[0]), rest[1:]
    recipe = folder / "recipe.yaml"
    if not recipe.is_file():
        raise InputError(f"{recipe}: not there; name the folder of a run, or a recipe by -c")
    named = None
    if "--ckpt_path" in rest and rest.index("--ckpt_path") + 1 < len(rest):
        position = rest.index("--ckpt_path")
        named = rest[position + 1]
        rest = [*rest[:position], *rest[position + 2 :]]
    path = _checkpoint(folder / "checkpoints", named)
    return Measured(folder / word, [word, "-c", str(recipe), *rest, "--ckpt_path", str(path)])


def _checkpoint(folder: Path, named: str | None) -> Path:
    if named not in (None, "best", "last"):
        return Path(str(named))
    names = [f"{named}.ckpt"] if named else ["best.ckpt", LAST]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{folder}: no {' or '.join(names)} there; train the run first, or name a checkpoint")
