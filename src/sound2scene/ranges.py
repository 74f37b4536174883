"""Ranges of settings: stated once, beside the setting, and checked before any work."""

from __future__ import annotations

import math


class Range:
    """Which finite numbers will do.

    Args:
        at_least: Smallest value.
        above: Largest number that is too small.
        between: Smallest and largest value.
        below: Smallest number that is too large.
    """

    def __init__(
        self,
        *,
        at_least: float = -math.inf,
        above: float = -math.inf,
        between: tuple[float, float] = (-math.inf, math.inf),
        below: float = math.inf,
    ) -> None:
        self.at_least, self.above, self.between, self.below = at_least, above, between, below

    def holds(self, value: float) -> bool:
        """Whether a number is finite and lies in the range."""
        low, high = self.between
        return max(low, self.at_least) <= value <= high and self.above < value < self.below

    def range(self) -> str:
        """The range in words; empty if every finite number will do."""
        if self.between != (-math.inf, math.inf):
            return f"between {self.between[0]} and {self.between[1]}"
        words = [
            f"at least {self.at_least}" if self.at_least != -math.inf else "",
            f"above {self.above}" if self.above != -math.inf else "",
            f"below {self.below}" if self.below != math.inf else "",
        ]
        return " and ".join(filter(None, words))


COUNT = Range(at_least=0)
PLENTY = Range(at_least=1)
SHARE = Range(at_least=0, below=1)  # of the clips, held out
PART = Range(between=(0, 1))
RATE = Range(at_least=0)
POSITIVE = Range(above=0)
SEED = Range(between=(0, 2**63 - 1))
SEED_OF_A_RUN = Range(between=(0, 2**32 - 1))  # NumPy takes no larger one
WORKERS = Range(between=(0, 1024))
BATCH = Range(between=(1, 2**20))
WIDTH = Range(between=(1, 2**16))  # of a layer, a picture's side or a list of classes
CHANNELS = Range(between=(1, 1024))  # of which a layer has a multiple


def check(where: str, limits: Range, **settings: object) -> None:
    """Refuse settings out of their range, by name.

    Args:
        where: What they belong to, for the message.
        limits: Range of each of them.
        settings: Numbers; None, for a setting that is left out, will do.

    Raises:
        InputError: If one is no number, or not in the range.
    """
    for name, value in settings.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not limits.holds(value):
            from sound2scene.types import InputError  # torch, which a command's help does without

            shown = str(value)[:40] if isinstance(value, (int, float)) else repr(value)[:40]
            raise InputError(f"{where}.{name} is {shown}; set it to {limits.range() or 'a finite number'}")
