"""EfficientNet-Lite0 as its package names it, spelled out: a test needs neither package nor weights."""

from collections.abc import Iterator

import torch
from torch import Tensor

# Repeats, side of the kernel, widening and channels in and out of each stage, as the package writes them.
STAGES = [
    (1, 3, 1, 32, 16),
    (2, 3, 6, 16, 24),
    (2, 5, 6, 24, 40),
    (3, 3, 6, 40, 80),
    (3, 5, 6, 80, 112),
    (4, 5, 6, 112, 192),
    (1, 3, 6, 192, 320),
]

Shape = tuple[int, ...]


def shapes() -> Iterator[tuple[str, Shape]]:
    """Name and shape of every tensor, the batch norms' counters as `()`."""
    yield "_conv_stem.weight", (32, 3, 3, 3)
    yield from _norm("_bn0", 32)
    number = 0
    for repeats, kernel, widening, channels, out in STAGES:
        for repeat in range(repeats):
            taken = out if repeat else channels
            yield from _block(f"_blocks.{number}.", kernel, widening, taken, out)
            number += 1
    yield "_conv_head.weight", (1280, 320, 1, 1)
    yield from _norm("_bn1", 1280)
    yield "_fc.weight", (1000, 1280)
    yield "_fc.bias", (1000,)


def state() -> dict[str, Tensor]:
    """A state dict with random values, variances positive."""
    generator = torch.Generator().manual_seed(0)

    def drawn(name: str, shape: Shape) -> Tensor:
        if name.endswith("num_batches_tracked"):
            return torch.tensor(7)
        values = torch.randn(shape, generator=generator)
        return 0.5 + values.abs() if name.endswith("running_var") else 0.2 * values

    return {name: drawn(name, shape) for name, shape in shapes()}


def _block(inside: str, kernel: int, widening: int, channels: int, out: int) -> Iterator[tuple[str, Shape]]:
    wide = channels * widening
    if widening > 1:
        yield f"{inside}_expand_conv.weight", (wide, channels, 1, 1)
        yield from _norm(f"{inside}_bn0", wide)
    yield f"{inside}_depthwise_conv.weight", (wide, 1, kernel, kernel)
    yield from _norm(f"{inside}_bn1", wide)
    yield f"{inside}_project_conv.weight", (out, wide, 1, 1)
    yield from _norm(f"{inside}_bn2", out)


def _norm(name: str, channels: int) -> Iterator[tuple[str, Shape]]:
    for tensor in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{tensor}", (channels,)
    yield f"{name}.num_batches_tracked", ()
