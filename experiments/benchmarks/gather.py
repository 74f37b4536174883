"""What a step of alignment costs between processes: gather, loss and gradients, by 1, 2, 4 and 8 of them.

Gloo carries latents of the published width over loopback. Every process compares all pairs of the step, as
the stage does, looks up its batch of image features in one cache on disk, and shares the gradients of an
audio encoder of the published size. Times are medians of a step's parts: by the clock, which tells little
where more processes run than there are cores, and by each process's processor. Bytes are those that one
process sends: by the formulas of ring algorithms, and as the loopback device counts them, other programs'
included.

Run `OMP_NUM_THREADS=1 python experiments/benchmarks/gather.py`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

from sound2scene.data.batches.features import FeatureCache
from sound2scene.distributed import gather
from sound2scene.losses.infonce import L2InfoNCE
from sound2scene.metrics.retrieval import instance_ranks
from sound2scene.models.audio_encoder import AudioEncoder

CLIPS = 4096


def sent_on_loopback() -> int:
    """Bytes that the loopback device has carried."""
    return int(Path("/sys/class/net/lo/statistics/tx_bytes").read_text())


def timed(run: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median milliseconds of the clock and of this process, all processes beginning together."""
    clock, processor = [], []
    for _ in range(repeats + 1):
        dist.barrier()
        start, begun = time.perf_counter(), time.process_time()
        run()
        clock.append(1e3 * (time.perf_counter() - start))
        processor.append(1e3 * (time.process_time() - begun))
    return statistics.median(clock[1:]), statistics.median(processor[1:])


def step_parts(z_BD: Tensor, cache: FeatureCache, parameters: int) -> dict[str, Callable[[], object]]:
    """The parts of a step, by name."""
    loss, gradient = L2InfoNCE(), torch.zeros(parameters)
    mine = [(31 * position + dist.get_rank()) % CLIPS for position in range(len(z_BD))]

    def whole() -> None:
        z_audio_BD = z_BD.clone().requires_grad_()
        z_audio_GD, z_image_GD = gather(z_audio_BD), gather(z_BD)
        loss(z_audio_GD, z_image_GD).backward()

    return {
        "features of the batch": lambda: [cache.row(position).copy() for position in mine],
        "gather of both latents": lambda: (gather(z_BD), gather(z_BD)),
        "gather, loss and their gradient": whole,
        "recall of the batch": lambda: instance_ranks(gather(z_BD), gather(z_BD)),
        "gradients of the encoder": lambda: dist.all_reduce(gradient),
    }


def work(rank: int, ranks: int, folder: str, sizes: tuple[int, int, int], repeats: int) -> None:
    """One process: it measures, and the first one of them says what it has seen."""
    os.environ |= {"GLOO_SOCKET_IFNAME": "lo"}
    dist.init_process_group("gloo", f"file://{folder}/meet-{ranks}", rank=rank, world_size=ranks)
    batch, width, parameters = sizes
    cache = FeatureCache(folder, "e", "p", "d", CLIPS, width)
    found: dict[str, tuple[float, float, float]] = {}
    for name, run in step_parts(torch.rand(batch, width), cache, parameters).items():
        dist.barrier()
        before = sent_on_loopback()
        clock, processor = timed(run, repeats)
        dist.barrier()
        found[name] = clock, processor, (sent_on_loopback() - before) / ranks / (repeats + 1) / 1e6
    if rank == 0:
        for name, (clock, processor, sent) in found.items():
            on_paper = bytes_sent(name, ranks, sizes) / 1e6
            print(
                f"{ranks:9} {name:34}{clock:10.1f}{processor:12.1f}{on_paper:10.2f}{sent:10.2f}", flush=True
            )
    dist.destroy_process_group()


def bytes_sent(part: str, ranks: int, sizes: tuple[int, int, int]) -> float:
    """Bytes that each process sends in a part of a step, float32, by rings."""
    batch, width, parameters = sizes
    gathered = 2 * (ranks - 1) * batch * width * 4  # of both latents
    reduced = 2 * (ranks - 1) * batch * width * 4  # of the gradient of all sounds' latents
    return {
        "features of the batch": 0,
        "gather of both latents": gathered,
        "gather, loss and their gradient": gathered + reduced,
        "recall of the batch": gathered,
        "gradients of the encoder": 2 * (ranks - 1) / ranks * parameters * 4,
    }[part]


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--batch-size", type=int, default=64, help="of a process")
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    parameters = sum(one.numel() for one in AudioEncoder(z_dim=arguments.width).parameters())
    sizes = (arguments.batch_size, arguments.width, parameters)
    print(
        f"batch {sizes[0]} a process, width {sizes[1]}, {parameters / 1e6:.1f} M parameters; ms and MB sent"
    )
    print(
        f"{'processes':9} {'part of a step':34}{'clock':>10}{'processor':>12}{'on paper':>10}{'counted':>10}"
    )
    with tempfile.TemporaryDirectory() as folder:
        cache = FeatureCache(folder, "e", "p", "d", CLIPS, arguments.width)
        for block in range(cache.blocks):
            cache.write(block, torch.rand(len(cache.positions(block)), arguments.width))
        for ranks in arguments.ranks:
            mp.spawn(work, (ranks, folder, sizes, arguments.repeats), nprocs=ranks)


if __name__ == "__main__":
    main()
