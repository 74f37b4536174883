"""What a recipe may ask of trainer, optimizers and run, looked at before anything is built."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterator, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import Namespace
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Trainer
from torch.optim import Optimizer

from sound2scene.commands.guard import unwritable
from sound2scene.ranges import COUNT, PLENTY, POSITIVE, SEED_OF_A_RUN, Range, check
from sound2scene.types import InputError

ENDLESS = Range(at_least=-1)
TRAINER = {
    "accumulate_grad_batches": PLENTY,
    "check_val_every_n_epoch": PLENTY,
    "gradient_clip_val": COUNT,
    "limit_predict_batches": POSITIVE,
    "limit_test_batches": POSITIVE,
    "limit_train_batches": POSITIVE,
    "limit_val_batches": COUNT,
    "log_every_n_steps": COUNT,
    "max_epochs": ENDLESS,
    "max_steps": ENDLESS,
    "num_nodes": PLENTY,
    "num_sanity_val_steps": ENDLESS,
    "overfit_batches": COUNT,
    "val_check_interval": POSITIVE,
}


def check_files(arguments: Sequence[str]) -> None:
    """Refuse, by its name, a recipe that is no text or no YAML.

    Args:
        arguments: A command line.

    Raises:
        InputError: If there is one. A file that is not there is the parser's to tell.
    """
    for path in arguments:
        if not path.endswith((".yaml", ".yml")) or not Path(path).is_file():
            continue
        try:
            yaml.safe_load(Path(path).read_bytes().decode())
        except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{path}: no recipe in YAML and UTF-8 ({reason}); mend the file") from None


def check_seed(recipe: Namespace) -> None:
    """Refuse a seed that NumPy does not take.

    Raises:
        InputError: If it is one.
    """
    seed = recipe.get("seed_everything")
    check("recipe", SEED_OF_A_RUN, seed_everything=None if isinstance(seed, bool) else seed)


def check_recipe(recipe: Namespace) -> None:
    """Refuse what no run can start with.

    Args:
        recipe: A parsed recipe, nothing of which has been built.

    Raises:
        InputError: If a number is not finite or out of range, an optimizer refuses its settings, or the run
            folder cannot be written.
    """
    for key, value in _values(recipe, ""):
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{key} is {value}; set it to a finite number")
    for name, limits in TRAINER.items():
        value = recipe.trainer.get(name)
        if isinstance(value, (int, float)):
            check("trainer", limits, **{name: value})
    for name in ("max_epochs", "max_steps"):
        if recipe.trainer.get(name) == 0:
            raise InputError(f"trainer.{name} is 0, so that nothing would be done; set it to 1 or more")
    check("run", PLENTY, checkpoint_steps=recipe.run.checkpoint_steps)
    for key, optimizer in _optimizers(recipe, ""):
        _check_optimizer(key, optimizer)
    for path in (Path(recipe.run.folder, recipe.run.name), recipe.run.publish):
        if path and (reason := unwritable(path)):
            raise InputError(
                f"{path}: cannot be written ({reason}); set run.folder and run.publish to others"
            )


def told(error: Exception) -> InputError | None:
    """What Lightning says of a recipe, in one line; None of anything else.

    A MisconfigurationException always is; a ValueError if Lightning itself raised it and it names an argument
    of the Trainer.
    """
    reason = " ".join(str(error).split())
    if isinstance(error, MisconfigurationException):
        return InputError(f"trainer: {reason}")
    raised = traceback.extract_tb(error.__traceback__)[-1].filename
    named = any(f"`{name}" in reason for name in signature(Trainer.__init__).parameters)
    if isinstance(error, ValueError) and "pytorch_lightning" in Path(raised).parts and named:
        return InputError(f"trainer: {reason}")
    return None


def _values(found: object, key: str) -> Iterator[tuple[str, object]]:
    """Every value of a recipe, with its key."""
    if isinstance(found, Namespace):
        found = vars(found)
    if isinstance(found, dict):
        for name, value in found.items():
            yield from _values(value, f"{key}.{name}" if key else str(name))
    elif isinstance(found, (list, tuple)):
        for value in found:
            yield from _values(value, key)
    else:
        yield key, found


def _optimizers(found: object, key: str) -> Iterator[tuple[str, Namespace]]:
    """Every optimizer that a recipe describes by its class, with its key."""
    if isinstance(found, list):
        for value in found:
            yield from _optimizers(value, key)
    if not isinstance(found, Namespace):
        return
    if isinstance(found.get("class_path"), str) and _optimizer_class(found.class_path):
        yield key, found
    for name, value in vars(found).items():
        yield from _optimizers(value, f"{key}.{name}" if key else name)


def _optimizer_class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(__import__(module, fromlist=[name]), name)
    except (ImportError, AttributeError, ValueError):
        return None
    return found if isinstance(found, type) and issubclass(found, Optimizer) else None


def _check_optimizer(key: str, found: Namespace) -> None:
    """Let the optimizer itself look at its settings, by one parameter."""
    settings = found.get("init_args")
    given: dict[str, Any] = {} if settings is None else settings.as_dict()
    try:
        _optimizer_class(found.class_path)([torch.nn.Parameter(torch.zeros(1))], **given)
    except InputError:
        raise
    except Exception as error:  # optimizers of any library say no in any way
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{key}.init_args: {found.class_path} refuses them ({reason}); mend them") from None
