"""The only door: `sound2scene COMMAND`. Nothing heavy is imported before the command is known."""

from __future__ import annotations

import argparse
import io
import os
import select
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, NoReturn

from sound2scene.commands.parser import INTERRUPTED, TERMINATED, Command, Parser, UsageError, bind, summary
from sound2scene.commands.words import COMMANDS, RECIPES
from sound2scene.processes import keep_freed_memory

PROG = "sound2scene"
AGAIN = "run the same command again to go on"
# What to do after Ctrl-C, unless the KeyboardInterrupt itself says so.
ANEW = "run the same command again"  # of a command that is not named here
GO_ON = {
    "prepare": AGAIN,
    "select": AGAIN,
    "download": AGAIN,
    "invert": AGAIN,
    "edit": AGAIN,
    "evaluate": AGAIN,
    "models": AGAIN,
    "sweep": AGAIN,
    "ablations": AGAIN,
    "demo": "run the same command again to open it anew",
    "fit": "no state was kept yet, run the same command again",  # else the run itself says how
}
UNREAD = 141  # exit status of a command whose output nobody reads on, as a shell reports it
EXAMPLE = "example: sound2scene fit -c align/toy"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; what a user can mend, and Ctrl-C, is one line on stderr.

    Args:
        arguments: Words and options; by default those of the process.

    Returns:
        Exit status: the command's own, 2 for an error that a user can mend, 130 after Ctrl-C, 141 where
        whoever reads the output (`| head`) has gone.
    """
    # Huge pages for torch's large CPU tensors make training on a CPU about a quarter faster; torch reads this
    # when it is imported.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    _print_any_name()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(given)
    except BaseException as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return UNREAD
        told = _told(error, given)
        if told is None:
            raise
        line, status = told
        print(f"{PROG}: {line}", file=sys.stderr)
        return status


def _run(arguments: Sequence[str]) -> int:
    try:
        status = int(bound(arguments)() or 0)
    except SystemExit:  # help or version was printed
        sys.stdout.flush()
        raise
    sys.stdout.flush()  # here and not when Python ends, so that main hears of a reader that has gone
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


def _told(error: BaseException, arguments: Sequence[str]) -> tuple[str, int] | None:
    """One line and the exit status of what is no fault of the program; None of what is."""
    # Lightning answers Ctrl-C with an exit of its own.
    ended = error.__context__ if isinstance(error, SystemExit) else error
    if isinstance(ended, KeyboardInterrupt):
        word = arguments[0] if arguments else ""
        go_on = str(ended) or GO_ON.get(word, ANEW if word in {*COMMANDS, *RECIPES} else "")
        return "; ".join(filter(None, ["stopped by Ctrl-C", go_on])), INTERRUPTED
    if type(error).__name__ == "SIGTERMException":  # Lightning's, which may not be imported here
        return "; ".join(["stopped by SIGTERM", *map(str, error.args)]), TERMINATED
    if isinstance(error, UsageError):
        return str(error), 2
    if not isinstance(error, Exception):
        return None
    from sound2scene.types import DivergedError, InputError

    if isinstance(error, (InputError, DivergedError)):
        return str(error), 2
    if not isinstance(error, OSError):
        return None
    from sound2scene.commands import guard

    line = guard.told(error, guard.named_paths([*arguments, *_defaults(arguments)]))
    return None if line is None else (line, 2)


def _defaults(arguments: Sequence[str]) -> list[str]:
    """The paths that a command takes where none is given."""
    command = None if arguments[0] in RECIPES else bound(arguments)
    return [str(value) for value in command.keywords.values()] if isinstance(command, partial) else []


def _print_any_name() -> None:
    """Let names in other scripts, or of bytes that are no text, pass a terminal that cannot show them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nobody_reads() -> bool:
    """Whether stdout is a pipe whose reader has gone; it then leads nowhere, so that Python ends in peace."""
    try:
        number = sys.stdout.fileno()
        # A write that failed has left nothing to flush; Windows knows no poll.
        gone = hasattr(select, "poll") and select.poll()
        if gone:
            gone.register(number, 0)
        sys.stdout.flush()
        if not (gone and gone.poll(0)):
            return False
    except BrokenPipeError:
        pass
    except (OSError, ValueError):  # no file, as in a notebook
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    return True


def _run_recipe(arguments: list[str]) -> None:
    from sound2scene.commands import python_values, recipe

    keep_freed_memory()
    recipe.main(python_values.as_yaml(arguments))


def _command(word: str) -> Command:
    command: Command = import_module(f"sound2scene.commands.{COMMANDS[word]}").COMMAND
    return command


def _parser() -> Parser:
    """The parser of everything but a command: help, version, and words that are none."""
    about = "Turn sound into pictures of its scene."
    parser = Parser(PROG, description=about, epilog=EXAMPLE, formatter_class=_WordsOnOneLine)
    parser.add_argument("--version", action=Version, nargs=0, help="Show the version and exit")
    words = parser.add_subparsers(title="commands", metavar="COMMAND")
    for word, about in RECIPES.items():
        words.add_parser(word, help=about)
    for word, name in COMMANDS.items():
        words.add_parser(word, help=summary(import_module(f"sound2scene.commands.{name}").__doc__))
    return parser


class _WordsOnOneLine(argparse.HelpFormatter):
    """Help in which the longest word stands beside what it does; argparse forgets that words are indented."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        self._action_max_length = 4 + max(map(len, (*RECIPES, *COMMANDS)))


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
