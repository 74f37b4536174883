"""Compare two callables fairly: interleaved in one process, median of repeats, printed as a small table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """Seconds per call of two callables that do the same work.

    Attributes:
        ours_s: Median time of our callable.
        other_s: Median time of the other callable.
        ratio: Median over repeats of other / ours, each pair timed back to back; above 1, ours is faster.
        ratio_low: Smallest of these ratios.
        ratio_high: Largest of these ratios.
        processor_ratio: Median of the same ratios of the processor time of this process, which a busy machine
            changes less; loaders' workers are not in it.
    """

    ours_s: float
    other_s: float
    ratio: float
    ratio_low: float
    ratio_high: float
    processor_ratio: float


def compare(ours: Callable[[], object], other: Callable[[], object], repeats: int = 9) -> Comparison:
    """Time two callables in turn, so that a busy machine slows both; the order is swapped at every repeat.

    Args:
        ours: Our callable, called once to warm up, then `repeats` times; on a GPU it must wait for its own
            result.
        other: Callable to compare with, called in the same way.
        repeats: Number of pairs of timed calls.
    """
    ours(), other()
    ours_taken: list[tuple[float, float]] = []
    other_taken: list[tuple[float, float]] = []
    for repeat in range(repeats):
        for callable_, taken in ((ours, ours_taken), (other, other_taken))[:: 1 if repeat % 2 else -1]:
            start, processor_start = time.perf_counter(), time.process_time()
            callable_()
            taken.append((time.perf_counter() - start, time.process_time() - processor_start))
    (ours_s, ours_processor_s), (other_s, other_processor_s) = (
        zip(*taken, strict=True) for taken in (ours_taken, other_taken)
    )
    ratios = [b / a for a, b in zip(ours_s, other_s, strict=True)]
    return Comparison(
        statistics.median(ours_s),
        statistics.median(other_s),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        statistics.median(b / a for a, b in zip(ours_processor_s, other_processor_s, strict=True)),
    )


def print_table(rows: Mapping[str, Comparison], per: float = 1, unit: str = "call") -> None:
    """Print one line per comparison: milliseconds, ratio and its range.

    Args:
        rows: Comparisons by the name of their line.
        per: Units of work in one call, such as the clips of a batch.
        unit: Name of one unit.
    """
    width = max(map(len, rows))
    print(
        f"{'':{width}}  {'ours':>9}  {'other':>9}  {'ratio':>6}  range      "
        f"(ms per {unit}; ratio = other / ours)"
    )
    for name, row in rows.items():
        ours_ms, other_ms = 1e3 * row.ours_s / per, 1e3 * row.other_s / per
        spread = f"{row.ratio_low:.2f}-{row.ratio_high:.2f}"
        print(f"{name:{width}}  {ours_ms:9.2f}  {other_ms:9.2f}  {row.ratio:6.2f}  {spread}")
