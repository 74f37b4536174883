"""Command lines from functions: the signature and the docstring of a command are its parser.

A parameter before the ``*`` is a positional argument, one behind it is an option; without a default it is
required. The annotation says how a text is read: ``int``, ``float`` (finite), ``str``, ``Path``, ``bool`` for
a flag, ``Literal`` for choices, ``list`` for one or more, each of them ``| None``. Further names and ranges
are added by ``Annotated[int, Option("-n", at_least=1)]``; the help comes from the docstring's ``Args``.

What several commands share is a ``NamedTuple``: a parameter of that type stands for an option for each of its
fields, and their help comes from its ``Attributes``.
"""

from __future__ import annotations

import argparse
import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, Union, get_args, get_origin, get_type_hints

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
    fill(parser, command)
    given = vars(parser.parse_args(arguments))
    return partial(given.pop("run"), **given)


def fill(parser: argparse.ArgumentParser, command: Command) -> None:
    """Give a parser the arguments of a command, or the words of several."""
    if callable(command):
        _fill(parser, command)
        return
    words = parser.add_subparsers(title="words", metavar="WORD", required=True)
    for word, function in command.items():
        _fill(words.add_parser(word, help=summary(function.__doc__)), function)


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


class Argument(NamedTuple):
    """An argument of a command line.

    Attributes:
        name: Name of the parameter, or of a field of it.
        hint: Type, with what an `Option` says of it.
        default: Value where it is not given; `inspect.Parameter.empty` where it has to be.
        about: What the docstring says of it.
        positional: It has no name on the command line.
    """

    name: str
    hint: Any
    default: Any
    about: str
    positional: bool = False


def arguments_of(function: Function) -> Iterator[Argument]:
    """Arguments of a command, those that it shares with others one by one."""
    hints, helps = get_type_hints(function, include_extras=True), _helps(function)
    for name, parameter in inspect.signature(function).parameters.items():
        if _is_shared(hints[name]):
            yield from _fields(hints[name])
        else:
            positional = parameter.kind is not parameter.KEYWORD_ONLY
            yield Argument(name, hints[name], parameter.default, helps[name], positional)


def _is_shared(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, tuple)


def _fields(kind: Any) -> Iterator[Argument]:
    hints, helps = get_type_hints(kind, include_extras=True), _helps(kind)
    for name in kind._fields:
        default = kind._field_defaults.get(name, inspect.Parameter.empty)
        yield Argument(name, hints[name], default, helps[name])


def _helps(documented: Any) -> dict[str, str]:
    from docstring_parser import DocstringStyle, parse

    described = parse(documented.__doc__ or "", DocstringStyle.GOOGLE).params
    return {found.arg_name: " ".join((found.description or "").split()) for found in described}


def _fill(parser: argparse.ArgumentParser, function: Function) -> None:
    parser.description = (function.__doc__ or "").partition("\n")[0]
    parser.set_defaults(run=partial(_called, function))
    for argument in arguments_of(function):
        _add(parser, argument)


def _called(function: Function, **given: Any) -> int | None:
    """Call a command; values of fields become the tuples that it takes."""
    for name, kind in get_type_hints(function).items():
        if _is_shared(kind):
            given[name] = kind(**{field: given.pop(field) for field in kind._fields})
    return function(**given)


def _add(parser: argparse.ArgumentParser, argument: Argument) -> None:
    hint, default = argument.hint, argument.default
    kind, option = get_args(hint) if get_origin(hint) is Annotated else (hint, Option())
    required = default is inspect.Parameter.empty
    shown = "" if required or default is None or default is False else f"default: {default}"
    notes = "; ".join(filter(None, [shown, option.range()]))
    about = argument.about.removesuffix(".") + (f" ({notes})" if notes else "")
    words = _words(kind, option) | {"help": about.replace("%", "%%")}
    if argument.positional:
        names = (argument.name,)
        words["metavar"] = option.metavar or argument.name.upper()
        many = "nargs" in words
        words |= {} if required else {"nargs": "*" if many else "?", "default": default}
    else:
        long = any(name.startswith("--") for name in option.names)
        names = option.names if long else (*option.names, f"--{argument.name.replace('_', '-')}")
        words |= {"dest": argument.name} | ({"required": True} if required else {"default": default})
        if option.metavar:
            words["metavar"] = option.metavar
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
