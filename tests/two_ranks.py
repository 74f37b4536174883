"""Run a function as rank 0 and 1 of a gloo group, each in a process of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

import forked


def on_two_ranks(work: Callable[[int], Any], folder: Path) -> list[Any]:
    """What `work(rank)`, a function at the top of a module, returns on each rank: plain containers."""
    forked.prepare()
    processes = mp.start_processes(
        _rank, (work, folder), nprocs=2, join=False, daemon=True, start_method="forkserver"
    )
    while not processes.join():
        """Raises as soon as one of them fails, and ends the other."""
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def _rank(rank: int, work: Callable[[int], Any], folder: Path) -> None:
    torch.set_num_threads(1)
    # A file instead of a port: nothing else can take it.
    dist.init_process_group("gloo", f"file://{folder / 'meeting'}", rank=rank, world_size=2)
    try:
        torch.save(work(rank), folder / f"{rank}.pt")
        dist.barrier()
    finally:
        dist.destroy_process_group()
