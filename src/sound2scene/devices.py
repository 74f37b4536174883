"""The one way from a name to a device of torch."""

from __future__ import annotations

import torch

from sound2scene.types import InputError


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
