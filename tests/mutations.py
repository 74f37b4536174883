"""Seeded ways to damage a file."""

import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple

DEEP, DIGITS = "deep nesting", "many digits"
SWAPS: tuple[Any, ...] = (None, [], {}, "", "x" * 1000, -1, 0, True, 1e308, 10**30, 2**63, [[]], {"a": 1})
SWAPS += (float("nan"), float("-inf"), DEEP, DIGITS, "../../x", "a\0b", "\ud800", [None] * 50, 0.5)


class Damage(NamedTuple):
    """A damaged file and how it came to be."""

    name: str
    data: bytes


def cut(data: bytes, dice: random.Random) -> bytes:
    return data[: dice.randrange(len(data))]


def flip(data: bytes, dice: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(dice.choice((1, 1, 8, 64))):
        found[dice.randrange(len(found))] ^= 1 << dice.randrange(8)
    return bytes(found)


def insert(data: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(data))
    return data[:place] + dice.randbytes(dice.choice((1, 7, 512))) + data[place:]


def repeat(data: bytes, dice: random.Random) -> bytes:
    start, end = sorted(dice.sample(range(len(data) + 1), 2))
    return data[:end] + data[start:]


def zero(data: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(data))
    length = min(len(data) - start, dice.choice((4, 64, 4096)))
    return data[:start] + bytes(length) + data[start + length :]


def drop(data: bytes, dice: random.Random) -> bytes:
    start, end = sorted(dice.sample(range(len(data) + 1), 2))
    return data[:start] + data[end:]


def edit_header(data: bytes, dice: random.Random) -> bytes:
    """A number of four bytes among the first 512 becomes huge, or nothing."""
    place = dice.randrange(min(len(data), 512))
    return data[:place] + dice.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff")) + data[place + 4 :]


def nothing(data: bytes, dice: random.Random) -> bytes:
    return b""


def noise(data: bytes, dice: random.Random) -> bytes:
    return dice.randbytes(len(data))


BYTES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    cut,
    flip,
    edit_header,
    insert,
    repeat,
    zero,
    drop,
    nothing,
    noise,
)


def damaged(data: bytes, count: int, seed: str) -> list[Damage]:
    """So many damaged copies of a file, each way in its turn."""
    found = []
    for number in range(count):
        way = BYTES[number % (7 if number >= len(BYTES) else len(BYTES))]
        found.append(Damage(way.__name__, way(data, random.Random(f"{seed} {number}"))))
    return found


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container in a JSON value with each of its keys."""
    found = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        found += [(value, key), *places(part)]
    return found


def retyped(text: str, count: int, seed: str) -> list[Damage]:
    """So many copies of a JSON text, or of lines of them, in which one value is another, gone or doubled."""
    found = []
    for number in range(count):
        dice = random.Random(f"{seed} {number}")
        lines = [text] if is_json(text) else text.splitlines()
        row = dice.randrange(len(lines))
        value = json.loads(lines[row])
        holder, key = dice.choice(places(value))
        swap = dice.choice([*SWAPS, "gone", "doubled"])
        if swap == "gone":
            del holder[key]
        elif swap == "doubled" and isinstance(holder, list):
            holder.append(holder[key])
        else:
            holder[key] = swap
        whole = json.dumps(dice.choice([value] * 9 + [swap]))
        whole = whole.replace(json.dumps(DEEP), "[" * 50_000 + "]" * 50_000)
        lines[row] = whole.replace(json.dumps(DIGITS), "9" * 6000)
        ends = "" if is_json(text) else "\n"
        found.append(Damage("retyped", ("\n".join(lines) + ends).encode(errors="surrogatepass")))
    return found


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
