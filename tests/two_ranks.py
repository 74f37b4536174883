"""Run a function as rank 0 and 1 of a gloo group, each in a process of its own."""

import multiprocessing
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

LIMIT_S = 120


def on_two_ranks(work: Callable[[int], Any], folder: Path) -> list[Any]:
    """What `work(rank)`, a function at the top of a module, returns on either rank; plain containers of tensors."""
    # Forked from a server that has done the imports: these take longer than most tests.
    multiprocessing.set_forkserver_preload(
        ["torch.distributed", "pytorch_lightning", "torchmetrics", "sound2scene.cli"]
    )
    processes = mp.start_processes(_rank, (work, folder), nprocs=2, join=False, start_method="forkserver")
    deadline = time.monotonic() + LIMIT_S
    while not processes.join(timeout=1):
        if time.monotonic() > deadline:
            for process in processes.processes:
                process.kill()
            raise TimeoutError(f"two ranks are not through {work.__name__} after {LIMIT_S} s")
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def _rank(rank: int, work: Callable[[int], Any], folder: Path) -> None:
    torch.set_num_threads(1)
    # A file instead of a port: nothing else can take it.
    meeting = f"file://{folder / 'meeting'}"
    dist.init_process_group("gloo", meeting, timedelta(seconds=LIMIT_S), rank=rank, world_size=2)
    try:
        torch.save(work(rank), folder / f"{rank}.pt")
        dist.barrier()
    finally:
        dist.destroy_process_group()
