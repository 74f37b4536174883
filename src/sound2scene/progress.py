"""One way to show progress: a bar of one line on a terminal, a plain line a minute in a file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from time import monotonic
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")
LINE_S = 60.0


def is_terminal() -> bool:
    """Whether someone looks on: standard error is a terminal."""
    return sys.stderr.isatty()


def clock(seconds: float) -> str:
    """A time as `1:02:03`, or `2:03` below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Bar:
    """Progress of a piece of work; what took less than a second leaves no line in a file.

    Args:
        total: How much there is.
        what: What is done: `shards of toy`.
        unit: In what it is counted.
        done: How much was done before.
    """

    def __init__(self, total: int, what: str, unit: str, done: int = 0) -> None:
        self.total, self.what, self.unit, self.done = total, what, unit, done
        self._begun = self._told = monotonic()
        self._first = done
        self._bar: tqdm[Any] | None = None
        if is_terminal():
            self._bar = tqdm(total=total, desc=what, unit=unit, initial=done, dynamic_ncols=True)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, count: int = 1, more: Sequence[str] = ()) -> None:
        """So much more is done.

        Args:
            count: How much.
            more: What else is to be said.
        """
        self.done += count
        if self._bar is not None:
            if more:
                self._bar.set_postfix_str("  ".join(more), refresh=False)
            self._bar.update(count)
        elif monotonic() - self._told > LINE_S:
            self._told = monotonic()
            share = self.done / self.total if self.total else 1.0
            left = (self._told - self._begun) / max(1, self.done - self._first) * (self.total - self.done)
            self._print(f"{self.done} of {self.total} ({share:.0%}), {clock(left)} left")

    def write(self, line: str) -> None:
        """A line of its own, above the bar."""
        if self._bar is not None:
            self._bar.write(line, file=sys.stdout)
        else:
            print(line, flush=True)

    def close(self) -> None:
        """The work is over, or stopped."""
        if self._bar is not None:
            self._bar.close()
        elif (seconds := monotonic() - self._begun) >= 1:
            of = "" if self.done == self.total else f" of {self.total}"
            units = f"{self.unit}es" if self.unit.endswith("ch") else f"{self.unit}s"
            self._print(f"{self.done}{of} {units} in {clock(seconds)}")

    def _print(self, line: str) -> None:
        print(f"{self.what}: {line}", file=sys.stderr, flush=True)


def tracked(items: Iterable[T], total: int, what: str, unit: str) -> Iterator[T]:
    """The items, while their progress is shown; arguments as for :class:`Bar`."""
    with Bar(total, what, unit) as bar:
        for item in items:
            yield item
            bar.update()
