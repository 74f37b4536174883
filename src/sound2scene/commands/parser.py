"""Command lines from functions: the signature and the docstring of a command are its parser.

A parameter before the ``*`` is a positional argument, one behind it is an option; without a default it is
required. The annotation says how a text is read: ``int``, ``float`` (finite), ``str``, ``Path``, ``bool`` for
a flag, ``Literal`` for choices, ``list`` for one or more, each of them ``| None``. Further names and ranges
are added by ``Annotated[int, Option("-n", at_least=1)]``; the help comes from the docstring's ``Args``.
"""

from __future__ import annotations

import argparse
import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from sound2scene.commands.guard import unwritable
from sound2scene.ranges import Range

INTERRUPTED = 130  # exit status after Ctrl-C, as a shell reports it
TERMINATED = 143  # and after SIGTERM

Function = Callable[..., int | None]
Command = Function | Mapping[str, Function]


class UsageError(ValueError):
    """A command line that is none, in one line that names the argument."""


class Option(Range):
    """What a signature cannot say about an argument.

    Args:
        names: Names on the command line; the parameter's own is added where none of them is long.
        metavar: Word that stands for the value in the help.
        writes: Whether the command writes there; it is then looked at before any work.
        at_least: Smallest value.
        above: Largest number that is too small.
        between: Smallest and largest value.
        below: Smallest number that is too large.
    """

    def __init__(
        self,
        *names: str,
        metavar: str | None = None,
        writes: bool = False,
        at_least: float = -math.inf,
        above: float = -math.inf,
        between: tuple[float, float] = (-math.inf, math.inf),
        below: float = math.inf,
    ) -> None:
        super().__init__(at_least=at_least, above=above, between=between, below=below)
        self.names, self.metavar, self.writes = names, metavar, writes


Output = Annotated[Path, Option("-o", "--output", writes=True)]
Workers = Annotated[int, Option(between=(1, 1024))]
Seed = Annotated[int, Option(between=(0, 2**63 - 1))]
Admit = Annotated[list[str] | None, Option(metavar="PACKAGE")]
Share = Annotated[float, Option(at_least=0, below=1)]


def bind(prog: str, command: Command, arguments: Sequence[str]) -> Callable[[], int | None]:
    """Read a command line.

    Args:
        prog: Words that lead to the command, for messages.
        command: A function, or several by the next word.
        arguments: What follows the words.

    Returns:
        The function with its arguments, ready to be called.

    Raises:
        UsageError: If an argument is missing, unknown, of another type or out of its range.
        SystemExit: After the help, where that was asked for.
    """
    parser = Parser(prog)
    if callable(command):
        _fill(parser, command)
    else:
        words = parser.add_subparsers(title="words", metavar="WORD", required=True)
        for word, function in command.items():
            _fill(words.add_parser(word, help=summary(function.__doc__)), function)
    given = vars(parser.parse_args(arguments))
    return partial(given.pop("run"), **given)


def summary(docstring: str | None) -> str:
    """First line of a docstring, as argparse shows it in a list of commands."""
    return (docstring or "").partition("\n")[0].removesuffix(".").replace("%", "%%")


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors can be told in one line, and to which `-16:16:4` is a value."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        # What argparse asks whether a word that begins with a minus is a number; no option of ours is one.
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the help is.

        Raises:
            UsageError: Always.
        """
        raise UsageError(f"{' '.join(message.split())}; see `{self.prog} --help`")


def _fill(parser: Parser, function: Function) -> None:
    from docstring_parser import DocstringStyle, parse

    parser.description = (function.__doc__ or "").partition("\n")[0]
    parser.set_defaults(run=function)
    hints = get_type_hints(function, include_extras=True)
    described = parse(function.__doc__ or "", DocstringStyle.GOOGLE).params
    helps = {found.arg_name: " ".join((found.description or "").split()) for found in described}
    for name, parameter in inspect.signature(function).parameters.items():
        _add(parser, parameter, hints[name], helps[name])


def _add(parser: Parser, parameter: inspect.Parameter, hint: Any, about: str) -> None:
    kind, option = get_args(hint) if get_origin(hint) is Annotated else (hint, Option())
    default, required = parameter.default, parameter.default is parameter.empty
    shown = "" if required or default is None or default is False else f"default: {default}"
    notes = "; ".join(filter(None, [shown, option.range()]))
    about = about.removesuffix(".") + (f" ({notes})" if notes else "")
    words = _words(kind, option) | {"help": about.replace("%", "%%")}
    if parameter.kind is parameter.KEYWORD_ONLY:
        long = any(name.startswith("--") for name in option.names)
        names = option.names if long else (*option.names, f"--{parameter.name.replace('_', '-')}")
        words |= {"dest": parameter.name} | ({"required": True} if required else {"default": default})
        if option.metavar:
            words["metavar"] = option.metavar
    else:
        names = (parameter.name,)
        words["metavar"] = option.metavar or parameter.name.upper()
        many = "nargs" in words
        words |= {} if required else {"nargs": "*" if many else "?", "default": default}
    parser.add_argument(*names, **words)


def _words(kind: Any, option: Option) -> dict[str, Any]:
    """What argparse has to know of a type."""
    members = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    one, *others = [member for member in members if member is not NoneType]
    if one is bool and not others:
        return {"action": "store_true"}
    if get_origin(one) is Literal and not others:
        return {"choices": get_args(one)}
    if get_origin(one) is list and not others:
        return {"nargs": "+"} | _words(get_args(one)[0], option)
    if one not in (int, float, str, Path) or others:
        raise TypeError(f"a command line cannot give a {kind}")
    return {"type": _reader(one, option)}


def _reader(kind: type[int | float | str | Path], option: Option) -> Callable[[str], object]:
    def read(text: str) -> object:
        value = kind(text)
        if isinstance(value, (int, float)) and not option.holds(value):
            raise argparse.ArgumentTypeError(f"must be {option.range() or 'finite'}, not {text}")
        if option.writes and (reason := unwritable(text)):
            raise argparse.ArgumentTypeError(f"{text} cannot be written ({reason}); choose another path")
        return value

    read.__name__ = kind.__name__  # so argparse calls what is no number an "invalid int value"
    return read
