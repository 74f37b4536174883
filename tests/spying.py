"""What a method is given, while it goes on doing what it does."""

from collections.abc import Callable
from typing import Any

import pytest


def spied(
    monkeypatch: pytest.MonkeyPatch, owner: type, method: str, of: Callable[[Any], Any] = lambda given: given
) -> list[Any]:
    """A list that grows by one entry with each call of a method.

    Args:
        monkeypatch: Takes the spy away after the test.
        owner: Class of the method.
        method: Its name.
        of: What to note of the first argument; by default the argument.
    """
    noted: list[Any] = []
    plain = getattr(owner, method)

    def noting(self: Any, given: Any, *rest: Any, **named: Any) -> Any:
        noted.append(of(given))
        return plain(self, given, *rest, **named)

    monkeypatch.setattr(owner, method, noting)
    return noted
