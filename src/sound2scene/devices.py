"""The one way from a name to a device of torch, and how networks lie in its memory."""

from __future__ import annotations

import torch
from torch import nn

from sound2scene.types import InputError

_WIDE = 64  # channels of the first convolution


def device_named(name: str | None = None) -> torch.device:
    """A device that this machine has; by default the first GPU of CUDA, or the processor.

    Args:
        name: As torch names it: `cpu`, `cuda`, `cuda:1`, `mps`.

    Raises:
        InputError: If there is no such device here; says which there are.
    """
    there = available()
    if name is None:
        return torch.device("cuda" if "cuda" in there else "cpu")
    if name not in there:
        raise InputError(f"device {name!r} is not on this machine; choose among {', '.join(there)}")
    return torch.device(name)


def available() -> list[str]:
    """Names of the devices that this machine has, the processor first."""
    numbered = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    cuda = ["cuda", *numbered] if torch.cuda.is_available() else []
    return ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]


def training_layout(network: nn.Module) -> torch.memory_format:
    """The order of axes in which a network of convolutions is trained fastest here; values do not change.

    Channels last nearly everywhere: convolutions on CPUs, and on GPUs in bf16, take about half the time. On
    CPUs that have AVX2 but not AVX-512, though, the gradient of the weights of wide convolutions then takes
    three times as long, and a step of the published ResNet-18 1.27 times; narrow networks are as fast or
    faster all the same.

    Args:
        network: Network to train; its first convolution tells how wide it is.
    """
    first = next((part for part in network.modules() if isinstance(part, nn.Conv2d)), None)
    is_wide = first is not None and first.out_channels >= _WIDE
    if is_wide and not torch.cuda.is_available() and torch.backends.cpu.get_cpu_capability() == "AVX2":
        return torch.contiguous_format
    return torch.channels_last
