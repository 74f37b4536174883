"""Every command of the package by its words, for tests that go through all of them."""

from importlib import import_module

from sound2scene import cli
from sound2scene.commands.parser import Command, Function


def commands() -> dict[tuple[str, ...], Function]:
    """The function of each command, but for those of recipes."""
    found: dict[tuple[str, ...], Function] = {}
    for word, name in cli.COMMANDS.items():
        command: Command = import_module(f"sound2scene.commands.{name}").COMMAND
        if callable(command):
            found[word,] = command
        else:
            found |= {(word, next_word): function for next_word, function in command.items()}
    return found
