"""One run of selection: a folder of videos and a scorer in, a selection and a contact sheet out."""

from __future__ import annotations

import importlib
import os
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CPUAccelerator
from torch import nn

from sound2scene import artifacts
from sound2scene.callbacks.contact_sheet import ContactSheet
from sound2scene.callbacks.progress import Counted
from sound2scene.callbacks.selection_writer import SelectionWriter
from sound2scene.commands.prediction import trainer_of
from sound2scene.data.batches.footage import FootageModule
from sound2scene.data.selection.file import Selection
from sound2scene.data.selection.parts import Parts
from sound2scene.data.toy import world as toy
from sound2scene.files import alone
from sound2scene.models.localizer import Localizer
from sound2scene.models.scorers import Middle, Random
from sound2scene.moments import Scorer
from sound2scene.stages.selection import SelectionStage
from sound2scene.types import InputError


def select_moments(
    videos: Mapping[str, Path],
    scorer: Scorer,
    output: str | os.PathLike[str],
    top_k: int = 10,
    workers: int = 2,
    name: str | None = None,
    retry_rejected: bool = False,
    about: str = "",
    **machine: Any,
) -> Selection:
    """Score every step of every video and keep the best; what an earlier run has finished is kept.

    The same videos, scorer and `top_k` give the same bytes, on any number of processes and after any number
    of kills.

    Args:
        videos: File of each key, as from `find_videos`.
        scorer: Who chooses; a network is left in the mode it is in.
        output: Selection to write; a contact sheet of its name is drawn beside it as PNG.
        top_k: Moments to keep of each video.
        workers: Decoding processes for each scoring one.
        name: Name of the scorer in the selection; by default the path of its class.
        retry_rejected: Try videos again that could not be used; their files may have been mended.
        about: What a reader of the contact sheet must know.
        machine: `accelerator`, `devices` and `num_nodes` of a Lightning Trainer; one process by default.

    Raises:
        InputError: If the machine has no such devices; if the output is of another scorer or of other
            settings, damaged, or cannot be written; or if the scorer fails.
    """
    stage = SelectionStage(scorer, top_k)
    # One process has the output for the whole run. Which one that is among several machines, a trainer knows.
    with alone(output) if trainer_of([], **machine).is_global_zero else nullcontext():
        return _selected(videos, stage, output, workers, name, retry_rejected, about, machine)


def _selected(
    videos: Mapping[str, Path],
    stage: SelectionStage,
    output: str | os.PathLike[str],
    workers: int,
    name: str | None,
    retry_rejected: bool,
    about: str,
    machine: Mapping[str, Any],
) -> Selection:
    scorer, top_k = stage.scorer, stage.top_k
    parts = Parts(output, {**identity(scorer, name), "settings": {"top_k": top_k, **_arguments(scorer)}})
    done = parts.selection()
    known = done.videos.keys() | (set() if retry_rejected else done.rejected.keys())
    missing = {key: path for key, path in videos.items() if key not in known}
    callbacks: list[pl.Callback] = [SelectionWriter(parts), ContactSheet(parts, videos, scorer, about)]
    callbacks.append(Counted(len(missing), "choosing moments", "video"))
    # Lightning warns of an empty loader, but not of no batch.
    trainer = trainer_of(callbacks, **({} if missing else {"limit_predict_batches": 0}), **machine)
    # As many decoding processes as cores look at what they have decoded: a thread for each video is faster on
    # a CPU than all threads for one, and does not suffer from busy neighbours.
    in_workers = isinstance(trainer.accelerator, CPUAccelerator) and workers >= torch.get_num_threads()
    then = stage.choose if in_workers and isinstance(scorer, Localizer) else None
    footage = FootageModule(missing, scorer.side_px, workers, then)
    trainer.predict(stage, datamodule=footage, return_predictions=False)
    # The other ranks do not know what the first one has put together.
    return parts.selection() if trainer.is_global_zero else Selection.load(parts.target)


def identity(scorer: Scorer, name: str | None = None) -> dict[str, Any]:
    """What names a scorer in a selection: `name`, or the path of its class, and its weights' fingerprint."""
    return {
        "name": name or f"{type(scorer).__module__}.{type(scorer).__qualname__}",
        "fingerprint": artifacts.fingerprint(scorer) if isinstance(scorer, nn.Module) else None,
    }


def scorer_of(name: str, localizer: str | os.PathLike[str], seed: int = 0) -> Scorer:
    """The scorer that a word or a dotted path names.

    Args:
        name: `localizer`, `middle`, `random`, or the dotted path of a class that needs no arguments, or of an
            object.
        localizer: Artifact of a localizer, for the first.
        seed: Seed for `random`.

    Raises:
        InputError: If there is no such thing, or it cannot score moments.
    """
    if name == "localizer":
        found: Any = artifacts.load(localizer, kind="localizer")
    elif name in ("middle", "random"):
        found = Middle() if name == "middle" else Random(seed)
    else:
        found = _imported(name)
    if not isinstance(found, Scorer) or not isinstance(found.side_px, int) or found.side_px < 1:
        raise InputError(
            f"{localizer if name == 'localizer' else name}: {type(found).__name__} has no `side_px` of 1 or "
            "more and `score(moments)` (see sound2scene.moments.Scorer); add them, or choose another scorer"
        )
    return found


def foreign_to(localizer: str | os.PathLike[str], videos: str | os.PathLike[str]) -> str:
    """What has to be said before a localizer chooses in videos of another kind than it was trained on.

    Args:
        localizer: Its artifact, whose card says on which data it was trained.
        videos: Folder of the videos.

    Returns:
        One line; empty where both are of one kind, or an old card does not say.
    """
    folder = Path(videos)
    trained = artifacts.read_card(localizer).origin.notes.get("data")
    here = toy.NAME if toy.is_toy(folder) else folder.resolve().name
    if not isinstance(trained, str) or trained == here:
        return ""
    if trained == toy.NAME:
        return f"localizer trained on the toy world alone: what it chooses in {folder.name} means little"
    return f"localizer trained on {trained}: whether it is right in {folder.name}, look at the sheet"


def describe(selection: Selection) -> str:
    """A selection in one line: videos with moments, and rejected ones by kind."""
    kinds = Counter(kind for kind, _ in selection.rejected.values())
    counted = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    rejected = f"{len(selection.rejected)} rejected" + (f" ({counted})" if kinds else "")
    return f"{len(selection.videos)} videos with moments, {rejected}"


def _arguments(scorer: Scorer) -> dict[str, Any]:
    """Arguments of a scorer without weights; a network's are in its fingerprint."""
    return {} if isinstance(scorer, nn.Module) else getattr(scorer, "arguments", {})


def _imported(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute)
        return found() if isinstance(found, type) else found
    except (ImportError, AttributeError, ValueError) as error:
        remedy = "give localizer, middle, random or a dotted path, and add its folder to PYTHONPATH"
        raise InputError(f"--scorer {name}: cannot be imported ({error}); {remedy}") from None
    except TypeError as error:
        raise InputError(
            f"--scorer {name}: cannot be made without arguments ({error}); name an object"
        ) from None
