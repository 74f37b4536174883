"""Measure the memory of `select` and `prepare`: the largest over a run on N and over one on 10 N videos.

Each run has a fresh process. The videos are those of one folder, linked again and again under other names.
`memory.py` says what counts as memory.

Run `python experiments/benchmarks/selection_memory.py FOLDER` (of videos).
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import cycle, islice
from pathlib import Path

from memory import largest_of

from sound2scene.data.video.find import find_videos


def largest(*command: str) -> int:
    """The largest memory of a command of ours."""
    return largest_of("-m", "sound2scene.cli", *command)


def main() -> None:
    """Print MiB at 1x and 10x, and the growth, of either command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--videos", type=int, default=50)
    parser.add_argument("--localizer", default="experiments/artifacts/toy/localizer")
    options = parser.parse_args()
    sizes: dict[str, list[int]] = {"select": [], "prepare": []}
    with tempfile.TemporaryDirectory() as scratch:
        for times in (1, 10):
            root = Path(scratch) / str(times)
            (root / "videos").mkdir(parents=True)
            for number, path in enumerate(
                islice(cycle(find_videos(options.folder).values()), times * options.videos)
            ):
                (root / "videos" / f"{number:06d}{path.suffix}").symlink_to(path.absolute())
            chosen = ["--selection", str(root / "s.json")]
            machine = ["--localizer", options.localizer, "--accelerator", "cpu", "--devices", "1"]
            sizes["select"].append(
                largest("select", str(root / "videos"), "-o", str(root / "s.json"), *machine)
            )
            sizes["prepare"].append(
                largest("prepare", "videos", str(root / "videos"), *chosen, "-o", str(root / "shards"))
            )
    for command, (few, many) in sizes.items():
        sizes_mib = (
            f"{few / 2**20:.0f} MiB for {options.videos} videos, {many / 2**20:.0f} for ten times as many"
        )
        print(f"{command}: {sizes_mib} ({100 * (many / few - 1):+.1f} %)")


if __name__ == "__main__":
    main()
