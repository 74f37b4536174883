"""Numbers of an option: `-16:16:4` for a range with both its ends, `0,4,12` for a list."""

from __future__ import annotations

import math

from sound2scene.ranges import Range

MOST = 1000
_CLOSE = 1e-9  # in steps, by which a last one may miss the end of its range


def numbers_of(text: str, name: str, limits: Range) -> list[float]:
    """The numbers of a text, in its order.

    Args:
        text: Numbers and ranges `first:last:step`, between commas. A range may go down, and ends at the last
            step that does not go beyond its end.
        name: The option, for messages.
        limits: What each of them must keep to.

    Raises:
        InputError: If there is none, one is no finite number or out of its limits, a range has a step of 0 or
            one that leads away from its end, or there are more than 1000.
    """
    from sound2scene.types import InputError

    found: list[float] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        words = part.split(":")
        numbers = [_number(word, part, name) for word in words]
        if len(numbers) not in (1, 3):
            raise InputError(f"{name} {part}: neither a number nor a range; give -16:16:4, say, or 0,4,12")
        if len(numbers) == 3:
            numbers = _range((numbers[0], numbers[1], numbers[2]), f"{name} {part}")
        found += numbers
        if len(found) > MOST:
            raise InputError(f"{name} {text[:40]}: more than {MOST} numbers; take a larger step")
    if not found:
        raise InputError(f"{name}: an empty list; give numbers such as -16:16:4, or 0,4,12")
    for number in found:
        if not limits.holds(number):
            raise InputError(f"{name}: {number:g} is out of its range; set it {limits.range()}")
    return found


def _number(word: str, part: str, name: str) -> float:
    from sound2scene.types import InputError

    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{name} {part[:40]}: {word[:40]!r} is no finite number; give -16:16:4, or 0,4,12")
    return number


def _range(bounds: tuple[float, float, float], where: str) -> list[float]:
    from sound2scene.types import InputError

    first, last, step = bounds
    if not step:
        raise InputError(f"{where}: a step of 0 leads nowhere; give another one")
    count = (last - first) / step
    if count < -_CLOSE:
        raise InputError(f"{where}: the step leads away from {last:g}; turn its sign")
    if count > MOST:
        raise InputError(f"{where}: more than {MOST} numbers; take a larger step")
    # Rounded, so that a step of 0.1 does not come to 0.30000000000000004.
    return [round(first + number * step, 9) + 0.0 for number in range(math.floor(count + _CLOSE) + 1)]
