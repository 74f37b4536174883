"""Turn the published checkpoints into artifacts: the audio encoder of Sound2Scene and the ResNet-50 of SwAV.

A checkpoint is untrusted input: it is read with `weights_only=True`, so a file that would have to run code is
refused.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sound2scene.published import download
from sound2scene.types import InputError


@dataclass(frozen=True)
class Published:
    """Where a published checkpoint lies, and what is known of its terms of use."""

    address: str
    name: str
    licence: str


def obtain(source: str | os.PathLike[str], published: Published) -> tuple[Path, dict[str, Any]]:
    """The checkpoint as a local file, and where it came from."""
    address = published.address if source == "published" else os.fspath(source)
    if re.match(r"https?://", address):
        # A folder for each address, because siblings share their file name.
        cache = Path(os.environ.get("SOUND2SCENE_CACHE") or Path.home() / ".cache" / "sound2scene")
        name = published.name if address == published.address else None
        path = download.fetch(address, cache / hashlib.sha256(address.encode()).hexdigest()[:16], name=name)
    else:
        path = Path(address)
        if not path.is_file():
            raise InputError(f"{path}: no such file; give a checkpoint, its http address, or 'published'")
        address = path.name
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return path, {"address": address, "sha256": digest, "bytes": path.stat().st_size}


def state_of(path: Path) -> dict[str, Tensor]:
    """The state dict of a checkpoint, inside a training checkpoint or bare, without `module.` prefixes."""
    content = read(path)
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path}: holds no state dict; give a published checkpoint")
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise InputError(f"{path}: entry {str(name)[:80]!r} is not a tensor; give a published checkpoint")
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}


def read(path: Path) -> Any:
    """What a checkpoint holds.

    Raises:
        InputError: If it is damaged or would run code.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged archive raises depends on where it is cut
        if type(error).__name__ == "UnpicklingError":
            raise InputError(
                f"{path}: damaged, or it would run code, which is refused; save its weights alone"
            ) from None
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"{path}: not a readable checkpoint ({reason}); download it again") from None


def fill(network: nn.Module, given: dict[str, Tensor], path: Path) -> None:
    """Copy tensors into a network whose names and shapes they must have, one for one."""
    own = network.state_dict()
    both = own.keys() & given.keys()
    faults = {
        "missing": own.keys() - given.keys(),
        "unexpected": given.keys() - own.keys(),
        "of another shape": {name for name in both if own[name].shape != given[name].shape},
        "of another type": {n for n in both if own[n].is_floating_point() != given[n].is_floating_point()},
    }
    told = [f"{len(names)} {fault} ({_few(names)} ...)" for fault, names in faults.items() if names]
    if told:
        raise InputError(
            f"{path}: not the published layout: tensors {'; '.join(told)}; check which network it holds"
        )
    for name, tensor in given.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{path}: tensor {name!r} holds NaN or infinity; download it again")
    network.load_state_dict(given, assign=True)


def _few(names: set[str]) -> str:
    """The first of them, on one line: a file may hold any names."""
    return ", ".join(
        repr(name)[1:-1][:80] for name in sorted(name.removeprefix("backbone.") for name in names)[:3]
    )
