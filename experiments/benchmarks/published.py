"""Print the table of ours beside the published code, both columns from one run.

It needs a checkout of the published code, of which nothing is kept here: clone
github.com/postech-ami/Sound2Scene and give its folder. Data and weights are made up; weights are the same on
both sides, and their results are compared before they are timed. Times are medians of calls in turn; the
processor's time is that of this process, without the workers of loaders.

Run `python experiments/benchmarks/published.py CHECKOUT` (`--rows align generator` for some of the table,
`--small` to see whether all of it runs); all of it takes about an hour on two busy cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from published_code import PublishedCode
from published_data import generate, reading, spectrograms
from published_networks import Bench, Line, align, gan, generator

ROWS: dict[str, Callable[[Bench], Iterator[Line]]] = {
    "align": align,
    "generator": generator,
    "gan": gan,
    "reading": reading,
    "spectrogram": spectrograms,
    "generate": generate,
}


def printed(line: Line) -> str:
    """A line of the table: milliseconds per clip or picture, and how many times as fast ours is."""
    times = line.times
    theirs_ms, ours_ms = 1e3 * times.other_s / line.items, 1e3 * times.ours_s / line.items
    ratio = f"{times.ratio:.2f} ({times.ratio_low:.2f} to {times.ratio_high:.2f})"
    return (
        f"| {line.work} | {theirs_ms:.2f} | {ours_ms:.2f} | {ratio} | {times.processor_ratio:.2f} "
        f"| {line.limit} |"
    )


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", type=Path, help="folder of the published code")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1, help="threads of either side")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sounds", type=int, default=16, help="sounds of the row `generate`")
    parser.add_argument("--small", action="store_true", help="small networks and few clips")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    device = torch.device(options.device)
    published = PublishedCode(options.checkout, device)
    bench = Bench(published, device, options.small, options.repeats, options.sounds)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{name}, {options.threads} threads, torch {torch.__version__}\n")
    print("| work | published, ms an item | ours | times as fast | in processor time | limit |")
    print("|---|---|---|---|---|---|")
    for row in options.rows:
        for line in ROWS[row](bench):
            print(printed(line), flush=True)


if __name__ == "__main__":
    main()
