"""Print what makes a shell complete words, options and paths."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Literal

from sound2scene.commands.parser import Command, Parser, fill, summary
from sound2scene.commands.words import COMMANDS, RECIPES

# What every word of recipes takes besides the keys of the recipe.
_FILES, _FOLDERS = {"-c": "--config", "--ckpt_path": ""}, {"--resume": ""}


def completion(shell: Literal["bash", "zsh", "tcsh", "fish"]) -> None:
    """Print the completion of a shell; `eval "$(sound2scene completion bash)"` in its start file.

    Args:
        shell: The shell.
    """
    try:
        import shtab
    except ImportError:
        from sound2scene.types import InputError

        raise InputError(
            "completion: shtab is not installed; pip install 'sound2scene[completion]'"
        ) from None
    print(shtab.complete(_whole(), shell))


def _whole() -> Parser:
    """One parser of all words with their options."""
    import shtab

    parser = Parser("sound2scene")
    words = parser.add_subparsers()
    for word, about in RECIPES.items():
        recipe = words.add_parser(word, help=about)
        for kind, names in ((shtab.FILE, _FILES), (shtab.DIRECTORY, _FOLDERS)):
            for pair in names.items():
                added: object = recipe.add_argument(*filter(None, pair))
                vars(added)["complete"] = kind
    for word, module in COMMANDS.items():
        found = import_module(f"sound2scene.commands.{module}")
        each = words.add_parser(word, help=summary(found.__doc__))  # without help a word counts as hidden
        fill(each, found.COMMAND)
        _complete_paths(each, shtab.FILE)
    return parser


def _complete_paths(parser: argparse.ArgumentParser, files: object) -> None:
    """Let arguments that are paths complete to files; of several words, those of each."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                _complete_paths(inner, files)
        elif getattr(action.type, "__name__", "") == "Path":
            vars(action)["complete"] = files


COMMAND: Command = completion
