"""The keys of a recipe with type, value and meaning, out of the constructors that it names."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from importlib import import_module
from typing import NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

from docstring_parser import DocstringStyle, parse

from sound2scene.types import InputError

Signed: TypeAlias = Callable[..., object]  # a class, by what it takes
REQUIRED, DEFAULT = "(required)", "(default)"
# Of the Trainer's 40 arguments those that a recipe has a reason to set.
TRAINER = (
    "max_epochs",
    "max_steps",
    "max_time",
    "accelerator",
    "devices",
    "num_nodes",
    "strategy",
    "precision",
    "sync_batchnorm",
    "accumulate_grad_batches",
    "gradient_clip_val",
    "check_val_every_n_epoch",
    "val_check_interval",
    "limit_train_batches",
    "limit_val_batches",
    "log_every_n_steps",
    "deterministic",
    "callbacks",
)
LINKED = "data.init_args.seed"  # follows seed_everything


class Key(NamedTuple):
    """A key of a recipe.

    Attributes:
        name: Dotted key.
        kind: Type of its value.
        value: Value in the recipe, or the default, as YAML takes it.
        meaning: What it means.
    """

    name: str
    kind: str
    value: str
    meaning: str


class Argument(NamedTuple):
    """An argument of a constructor.

    Attributes:
        name: Its name.
        kind: Its type, as the code says it.
        hint: The type itself.
        default: Its default; `inspect.Parameter.empty` where there is none.
        meaning: What the docstring says of it.
    """

    name: str
    kind: str
    hint: object
    default: object
    meaning: str


def keys(recipe: Mapping[str, object], run: Signed, trainer: Signed) -> Iterator[Key]:
    """Every key that matters: of the run, the trainer's essentials, the stage and its data.

    Args:
        recipe: Content of the recipe, on top of what all recipes share.
        run: Class of the settings of a run.
        trainer: Class of the trainer.

    Raises:
        InputError: If the recipe names a class that is not there, or no stage or no data.
    """
    yield Key("seed_everything", "int", _text(recipe.get("seed_everything", 0)), "Seed of everything.")
    yield from _of(run, "run", _mapping(recipe.get("run")), 0)
    found = _of(trainer, "trainer", _mapping(recipe.get("trainer")), 0, nested=False)
    essentials = {key.name: key for key in found}
    yield from (
        _shortened(essentials[f"trainer.{name}"]) for name in TRAINER if f"trainer.{name}" in essentials
    )
    for part in ("model", "data"):
        given = _mapping(recipe.get(part))
        if not isinstance(given.get("class_path"), str):
            raise InputError(f"recipe: {part}.class_path is missing; name a class there")
        yield from _described(part, "class", given, f"The {'stage' if part == 'model' else 'data'}.", 0)


def _shortened(key: Key) -> Key:
    """A key without the many words of Lightning's docstrings: the first sentence, and no default but ours."""
    return key._replace(meaning=re.split(r"(?<=[.])\s", key.meaning)[0])


def _described(name: str, kind: str, value: object, meaning: str, skipped: int) -> Iterator[Key]:
    """A key whose value is a class or an object of one, and the keys of its arguments."""
    path, arguments = _class_path(value), _mapping(_mapping(value).get("init_args"))
    yield Key(name, kind, path, meaning)
    yield from _of(_imported(path, name), f"{name}.init_args", arguments, skipped)


def _of(
    kind: Signed, prefix: str, given: Mapping[str, object], skipped: int, nested: bool = True
) -> Iterator[Key]:
    for argument in list(arguments_of(kind))[skipped:]:
        name = f"{prefix}.{argument.name}"
        if name == LINKED:
            continue
        value = given.get(argument.name, argument.default)
        if _is_factory(argument.hint) and inspect.isfunction(argument.default):
            value = _on_default(value, argument.default)
        record = _record(argument.hint)
        if nested and record is not None:
            yield Key(name, argument.kind, _text(value if value is None else record), argument.meaning)
            yield from _of(record, name, _mapping(value), 0)
        elif nested and _class_path(value) and argument.kind != "str":
            handed = len(get_args(argument.hint)[0]) if _is_factory(argument.hint) else 0
            yield from _described(name, argument.kind, value, argument.meaning, handed)
        else:
            yield Key(name, argument.kind, _text(value), argument.meaning)


def arguments_of(kind: Signed) -> Iterator[Argument]:
    """Arguments of a class, those that it hands on to the classes above it included.

    Args:
        kind: The class.
    """
    seen: set[str] = set()
    for owner in inspect.getmro(kind) if inspect.isclass(kind) else ():
        if "__init__" not in vars(owner):
            continue
        made = inspect.signature(vars(owner)["__init__"]).parameters
        hints = get_type_hints(vars(owner)["__init__"])
        text = "\n".join(filter(None, [owner.__doc__, vars(owner)["__init__"].__doc__]))
        told = {one.arg_name: one.description or "" for one in parse(text, DocstringStyle.GOOGLE).params}
        for name, one in list(made.items())[1:]:
            if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL) and name not in seen:
                seen.add(name)
                meaning = " ".join(told.get(name, "").split())
                yield Argument(name, _kind(one.annotation), hints.get(name), one.default, meaning)
        if not any(one.kind is one.VAR_KEYWORD for one in made.values()):
            return


def _kind(annotation: object) -> str:
    if annotation is inspect.Parameter.empty:
        return "any"
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = re.sub(r"Optional\[([^\[\]]+)\]", r"\1 | None", text)
    return re.sub(r"[a-z_]+\.(?=[a-zA-Z_.]*[A-Z])", "", text)


def _record(hint: object) -> Signed | None:
    """The dataclass that a type means, if it means one; its keys need no class."""
    for one in (hint, *get_args(hint)):
        if isinstance(one, type) and is_dataclass(one):
            return one
    return None


def _is_factory(hint: object) -> bool:
    return get_origin(hint) is get_origin(Callable[[int], int])


def _on_default(value: object, default: Signed) -> object:
    """What a recipe says of an optimizer, on top of the one that `lambda parameters: ...` makes."""
    import torch

    given = _mapping(value)
    if value is not default and (not given or "class_path" in given):
        return value
    made = default([torch.nn.Parameter(torch.zeros(1))])
    assert isinstance(made, torch.optim.Optimizer)
    name = type(made).__qualname__
    path = f"torch.optim.{name}" if hasattr(torch.optim, name) else f"{type(made).__module__}.{name}"
    return {"class_path": path, "init_args": made.defaults | dict(_mapping(given.get("init_args")))}


def _class_path(value: object) -> str:
    """Dotted path of the class that a value is, names or describes; empty where there is none."""
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    found = _mapping(value).get("class_path") if isinstance(value, Mapping) else value
    text = found if isinstance(found, str) else ""
    return text if text.rpartition(".")[2][:1].isupper() and "/" not in text else ""


def _imported(path: str, key: str) -> Signed:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"recipe: {key}: {path} cannot be imported ({error}); correct it") from None
    if not isinstance(found, type):
        raise InputError(f"recipe: {key}: {path} is no class; name one")
    return found


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    """A value as a command line takes it; of objects in lists the names of their classes."""
    if value is inspect.Parameter.empty:
        return REQUIRED
    if path := _class_path(value):
        return path
    if isinstance(value, (list, tuple)) and any(isinstance(one, Mapping) for one in value):
        return ", ".join(_class_path(one).rpartition(".")[2] for one in value)
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except TypeError:  # a default that a factory makes
        return DEFAULT
