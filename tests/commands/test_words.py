from importlib import import_module
from pathlib import Path

from sound2scene import commands
from sound2scene.commands.words import COMMANDS, RECIPES


def test_every_word_leads_to_a_module_with_a_command() -> None:
    for module in COMMANDS.values():
        found = import_module(f"sound2scene.commands.{module}").COMMAND
        assert callable(found) or all(map(callable, found.values()))
    assert not RECIPES.keys() & COMMANDS.keys()


def test_every_module_with_a_command_has_a_word() -> None:
    folder = Path(str(commands.__file__)).parent
    offering = {path.stem for path in folder.glob("*.py") if "\nCOMMAND: Command = " in path.read_text()}
    assert offering == set(COMMANDS.values())
