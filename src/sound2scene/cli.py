"""The only door: `sound2scene COMMAND`. Nothing heavy is imported before the command is known."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, NoReturn

from sound2scene.commands.parser import INTERRUPTED, TERMINATED, Command, Parser, UsageError, bind, summary

PROG = "sound2scene"
RECIPES = {
    "fit": "Train a stage from a recipe",
    "validate": "Measure a checkpoint on the held-out split",
    "test": "Measure a checkpoint on the test split",
    "predict": "Write the latents of the held-out sounds",
}
# The module of each word, in `sound2scene.commands`; its `COMMAND` is a function, or several by their words.
COMMANDS = {
    "prepare": "prepare",
    "verify": "verify",
    "download": "download",
    "select": "select",
    "moments": "moments",
    "generate": "generate",
    "import": "import_published",
    "doctor": "doctor",
}
EXAMPLE = "example: sound2scene fit -c experiments/trainer.yaml -c experiments/align/toy.yaml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; what a user can mend, and Ctrl-C, is one line on stderr.

    Args:
        arguments: Words and options; by default those of the process.

    Returns:
        Exit status: the command's own, 2 for an error that a user can mend, 130 after Ctrl-C.
    """
    # Huge pages for torch's large CPU tensors make training on a CPU about a quarter faster; torch reads this
    # when it is imported.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    try:
        return int(bound(sys.argv[1:] if arguments is None else arguments)() or 0)
    except BaseException as error:
        told = _told(error)
        if told is None:
            raise
        line, status = told
        print(f"{PROG}: {line}", file=sys.stderr)
        return status


def bound(arguments: Sequence[str]) -> Callable[[], int | None]:
    """The command that a command line names, with its options, ready to be called.

    Raises:
        UsageError: If there is no such command, or its options are wrong; those of recipes are read later.
        SystemExit: After the help or the version, where that was asked for.
    """
    word, *options = arguments or ["--help"]
    if word in RECIPES:
        return partial(_run_recipe, list(arguments))
    if word in COMMANDS:
        return bind(f"{PROG} {word}", _command(word), options)
    _parser().parse_args([word])
    raise UsageError(f"{word} is no command; see `{PROG} --help`")


def _told(error: BaseException) -> tuple[str, int] | None:
    """One line and the exit status of what is no fault of the program; None of what is."""
    # Lightning answers Ctrl-C with an exit of its own.
    ended = error.__context__ if isinstance(error, SystemExit) else error
    if isinstance(ended, KeyboardInterrupt):
        return "; ".join(["stopped by Ctrl-C", *map(str, ended.args)]), INTERRUPTED
    if type(error).__name__ == "SIGTERMException":  # Lightning's, which may not be imported here
        return "; ".join(["stopped by SIGTERM", *map(str, error.args)]), TERMINATED
    if isinstance(error, UsageError):
        return str(error), 2
    if not isinstance(error, Exception):
        return None
    from sound2scene.types import DivergedError, InputError

    return (str(error), 2) if isinstance(error, (InputError, DivergedError)) else None


def _run_recipe(arguments: list[str]) -> None:
    from sound2scene.commands import recipe

    recipe.main(arguments)


def _command(word: str) -> Command:
    command: Command = import_module(f"sound2scene.commands.{COMMANDS[word]}").COMMAND
    return command


def _parser() -> Parser:
    """The parser of everything but a command: help, version, and words that are none."""
    parser = Parser(PROG, description="Turn sound into pictures of its scene.", epilog=EXAMPLE)
    parser.add_argument("--version", action=Version, nargs=0, help="Show the version and exit")
    words = parser.add_subparsers(title="commands", metavar="COMMAND")
    for word, about in RECIPES.items():
        words.add_parser(word, help=about)
    for word, name in COMMANDS.items():
        words.add_parser(word, help=summary(import_module(f"sound2scene.commands.{name}").__doc__))
    return parser


class Version(argparse.Action):
    """Looks the version up only where it is asked for, which takes as long as the whole help."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """Print it and end."""
        from importlib import metadata

        try:
            print(PROG, metadata.version(PROG))
        except metadata.PackageNotFoundError:
            raise UsageError("not installed; make install, or pip install -e .") from None
        raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
