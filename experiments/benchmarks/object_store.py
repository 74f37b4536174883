"""Time reading shards from an object store on this machine, with latency added, against local disk.

Both are read by the stage align's reader (sounds, with cached features) and by one that decodes pictures
too, in the same new random order, by loaders with as many workers. The store is `store_server.py`, with 20 ms
added to every request; it works on the same processors, which a real one does not, so that what it takes of
them is printed beside the ratio.

Needs s3fs (`pip install 'sound2scene[s3]'`). Run `OMP_NUM_THREADS=1 python
experiments/benchmarks/object_store.py`.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import torch
from alignment_epoch import write_files
from shards import BothReader
from timing import compare, print_table
from torch.utils.data import DataLoader

from sound2scene.data.batches.features import FeatureCache
from sound2scene.data.batches.reader import PairReader
from sound2scene.data.batches.sampler import EpochSampler
from sound2scene.data.prepare import prepare_folder
from sound2scene.data.shards.read import ShardDataset

SERVER = Path(__file__).with_name("store_server.py")


@contextmanager
def store(folder: Path, latency_ms: float) -> Iterator[psutil.Process]:
    """Serve a folder as the bucket `data`, which clients of S3 find through the environment."""
    command = [sys.executable, str(SERVER), str(folder), "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = "any", "any"
        try:
            yield psutil.Process(server.pid)
        finally:
            server.terminate()


def readers(address: str | Path, cache: FeatureCache) -> dict[str, Any]:
    """The readers to time."""
    split = ShardDataset(address, "train")
    return {"sounds with cached features": PairReader(split, cache), "sounds and pictures": BothReader(split)}


def leave_to_parent(_: int) -> None:
    """Let a worker collect nothing that it has inherited: loaders are their parent's to close."""
    gc.freeze()


class Epochs:
    """An epoch of a reader at every call, by workers that stay.

    Args:
        reader: The reader.
        batch_size: Clips.
        workers: Loader processes.
    """

    def __init__(self, reader: Any, batch_size: int, workers: int) -> None:
        self.number = 0
        sampler = EpochSampler(len(reader), batch_size, 0, 0, 1, lambda: (self.number, 0))
        self.loader: DataLoader[Any] = DataLoader(
            reader,
            batch_size,
            sampler=sampler,
            num_workers=workers,
            collate_fn=reader.collate,
            worker_init_fn=leave_to_parent,
            persistent_workers=workers > 0,
        )

    def __call__(self) -> int:
        """Read the next epoch, which is another order."""
        self.number += 1
        return sum(1 for _ in self.loader)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=512)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--latency-ms", type=float, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        write_files(root / "files", arguments.clips)
        prepare_folder(root / "shards", root / "files", val_share=0.0)
        cache = FeatureCache(root, "e", "p", "d", arguments.clips, 2048)
        for block in range(cache.blocks):
            cache.write(block, torch.rand(len(cache.positions(block)), 2048))
        with store(root / "shards", arguments.latency_ms) as server:
            near, far = readers(root / "shards", cache), readers("s3://data", cache)
            for name, reader in near.items():
                local = Epochs(reader, arguments.batch_size, arguments.workers)
                remote = Epochs(far[name], arguments.batch_size, arguments.workers)
                before_s = sum(server.cpu_times()[:2])
                rows[name] = compare(local, remote, arguments.repeats)
                clips = remote.number * len(remote.loader) * arguments.batch_size
                served_ms = 1e3 * (sum(server.cpu_times()[:2]) - before_s) / clips
                print(
                    f"{name}: {1 / rows[name].ratio:.2f} of the speed of local disk (the store's own work: "
                    f"{served_ms:.2f} ms of processor time a clip)"
                )
    print(
        f"{arguments.workers} workers, batch {arguments.batch_size}, {arguments.latency_ms:g} ms a request; "
        "ours: local disk, other: store"
    )
    print_table(rows, arguments.clips // arguments.batch_size * arguments.batch_size, "clip")


if __name__ == "__main__":
    main()
