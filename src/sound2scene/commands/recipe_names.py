"""Recipes by name: `-c align/toy` is the recipe that came with the package, on top of what it stands on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from sound2scene import defaults
from sound2scene.types import InputError

SHARED = "trainer"
OPTIONS = ("-c", "--config")
_NAME = re.compile(r"[a-z0-9_]+/[a-z0-9_]+")
_SHIPPED = re.compile(rf"{defaults.EXPERIMENTS}/([a-z0-9_]+(?:/[a-z0-9_]+)?)\.yaml")
# What recipes of a folder are diffs of, apart from what all share.
_BELOW = {"ablations": "align/toy"}


def path_of(name: str) -> Path:
    """The file of a recipe: the one of that path, or of that name among those that came with the package.

    Raises:
        InputError: If a name is that of no recipe; a path at which nothing lies is left to its reader.
    """
    path = defaults.located(name)
    if path.is_file() or not _NAME.fullmatch(name):
        return path
    path = _file(name)
    if not path.is_file():
        raise InputError(f"{name}: no such recipe; `sound2scene recipes` lists those that there are")
    return path


def with_paths(arguments: Sequence[str]) -> list[str]:
    """A command line with the files of the recipes that it names; what a named one stands on goes before it.

    Args:
        arguments: The command line; recipes given by the paths of files stay as they are.

    Raises:
        InputError: If a recipe is named that there is not.
    """
    found: list[str] = []
    words = iter(arguments)
    for word in words:
        option, equals, value = word.partition("=")
        if option not in OPTIONS or not (value := value if equals else next(words, "")):
            found.append(word)
            continue
        for path in _whole(value):
            # What a command line already has is not put on top once more.
            found += [] if str(path) in found and path != path_of(value) else [option, str(path)]
    return found


def _whole(name: str) -> Iterator[Path]:
    """The files of a recipe, lowest first."""
    path = path_of(name)
    listed = name if _NAME.fullmatch(name) else _listed(name)
    if listed is not None and str(path) != name:
        yield _file(SHARED)
        below = _BELOW.get(listed.partition("/")[0])
        if below is not None:
            yield _file(below)
    yield path


def _listed(path: str) -> str | None:
    """The name of a recipe that is given by its path in the repository."""
    match = _SHIPPED.fullmatch(path)
    return match[1] if match and match[1] != SHARED else None


def _file(name: str) -> Path:
    return defaults.located(f"{defaults.EXPERIMENTS}/{name}.yaml")
