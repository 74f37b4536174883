"""Values in Python's spelling on a command line, as agents of sweeps write them: `None`, `[True, None]`."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence

OPENINGS = ("[", "{", "(")


def as_yaml(arguments: Sequence[str]) -> list[str]:
    """A command line whose values in Python's spelling are written as recipes write them.

    `--key=None` becomes `--key=null`, `--key=[0.1, None]` becomes `--key=[0.1, null]`; whatever is no value
    of Python's, as `[adam, sgd]`, stays as it is.

    Args:
        arguments: Words and options.
    """
    return [_word(argument) for argument in arguments]


def _word(argument: str) -> str:
    if argument.startswith("--"):
        key, equals, value = argument.partition("=")
        return f"{key}{equals}{_value(value)}"
    return _value(argument)


def _value(text: str) -> str:
    if text == "None":
        return "null"
    if not text.startswith(OPENINGS):
        return text
    try:
        return json.dumps(ast.literal_eval(text), allow_nan=False, ensure_ascii=False)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return text
