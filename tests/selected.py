"""Parameters of which `make test` runs the first ones, and `make test-slow` the rest."""

from collections.abc import Iterable
from typing import Any

import pytest


def first(values: Iterable[Any], quick: int = 1) -> list[Any]:
    """The values for `pytest.mark.parametrize`, with all but so many of the first marked slow."""
    found = list(values)
    rest = [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow)
        for value in found[quick:]
    ]
    return [*found[:quick], *rest]
