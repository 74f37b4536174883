"""What a run computed on and what it took: models, cores and memory, and never the name of a machine."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

import torch

GIB = 2**30


class Host(TypedDict):
    """The kind of a machine.

    Attributes:
        system: Operating system.
        machine: Architecture of the processor.
        cpu: Model of the processor.
        cores: Cores that this process may use.
        memory_gib: Memory of the machine; None where the system does not say.
    """

    system: str
    machine: str
    cpu: str
    cores: int
    memory_gib: float | None


def host() -> Host:
    """The kind of this machine."""
    return Host(
        system=platform.system(),
        machine=platform.machine(),
        cpu=cpu_model(),
        cores=_cores(),
        memory_gib=_memory_gib(),
    )


def cpu_model() -> str:
    """Model of the processor, or its architecture where the system does not say."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return " ".join(value.split())
    return platform.processor() or platform.machine()


def device_model(device: torch.device) -> str:
    """Model of a device: of a GPU as its driver calls it, else of the processor."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_model()


def peak_host_gib() -> float | None:
    """Most memory that this process, or one of its children that has ended, has held; None on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return round(max(resource.getrusage(one).ru_maxrss for one in who) * unit / GIB, 3)


def peak_device_gib(device: torch.device) -> float | None:
    """Most memory of a GPU that this process has held; None of what is no GPU."""
    return round(torch.cuda.max_memory_reserved(device) / GIB, 3) if device.type == "cuda" else None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gib() -> float | None:
    with suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1)
    return None
