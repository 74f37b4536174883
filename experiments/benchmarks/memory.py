"""Measure the memory of loading: the largest over an epoch of N clips and over one of 10 N clips.

Each size runs in a process of its own, with two loader workers. The figure is the largest sum, over the
process and its workers, of what Linux counts as theirs: private memory, and their share of the memory in
which they exchange batches. Mapped files stay out, because whether a library's pages count as private depends
on what else the machine runs. The C library's allocator keeps what it once needed, and takes about a thousand
clips to reach that level; N is larger.

Run `python experiments/benchmarks/memory.py`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
from alignment_epoch import write_files
from shards import ReadBoth

from sound2scene.data.clips import ClipDataModule
from sound2scene.data.prepare import prepare_folder


def own_bytes(process: psutil.Process | None = None) -> int:
    """Anonymous and shared memory of a process and its children; sharers count equal parts of a page.

    Args:
        process: Process to measure; by default this one.
    """
    process = process or psutil.Process()
    total_kb = 0
    for one in (process, *process.children(recursive=True)):
        with suppress(FileNotFoundError, ProcessLookupError):  # the process has just ended
            for line in Path(f"/proc/{one.pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                    total_kb += int(line.split()[1])
    return 1024 * total_kb


def largest_of(*command: str) -> int:
    """The largest memory of a command of Python's and its children, measured ten times a second."""
    process = psutil.Popen([sys.executable, *command])
    most = 0
    while process.poll() is None:
        most = max(most, own_bytes(process))
        time.sleep(0.1)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return most


def stream(shards: str) -> int:
    """Largest memory over one epoch."""
    data = ClipDataModule(shards, batch_size=8, workers=2, read=ReadBoth())
    return max(own_bytes() for _ in data.train_dataloader())


def main() -> None:
    """Print bytes at 1x and 10x, and the growth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=1600)
    parser.add_argument(
        "--stream", help="measure one dataset and print its bytes (used by the benchmark itself)"
    )
    arguments = parser.parse_args()
    if arguments.stream:
        print(json.dumps(stream(arguments.stream)))
        return
    sizes = {}
    with tempfile.TemporaryDirectory() as scratch:
        for times in (1, 10):
            root = Path(scratch) / str(times)
            write_files(root / "files", times * arguments.clips)
            prepare_folder(root / "shards", root / "files", val_share=0.0)
            command = [sys.executable, __file__, "--stream", str(root / "shards")]
            sizes[times] = json.loads(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout
            )
    for times, size in sizes.items():
        print(f"{times * arguments.clips:6d} clips: {size / 2**20:8.1f} MiB")
    print(f"growth from 1x to 10x: {100 * (sizes[10] / sizes[1] - 1):+.1f} %")


if __name__ == "__main__":
    main()
