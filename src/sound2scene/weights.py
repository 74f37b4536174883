"""Weights that others have written: read without running code, checked before they are taken over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from sound2scene.types import InputError


def read(path: Path) -> Any:
    """What a file of torch or safetensors holds.

    Raises:
        InputError: If it is damaged or would run code.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged archive raises depends on where it is cut
        if type(error).__name__ == "UnpicklingError":
            raise InputError(
                f"{path}: damaged, or it would run code, which is refused; save its weights alone"
            ) from None
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"{path}: not readable as weights ({reason}); get the file again") from None


def state_of(path: Path) -> dict[str, Tensor]:
    """The state dict of a file, inside a training checkpoint or bare, without `module.` prefixes.

    Raises:
        InputError: If it is damaged, would run code, or holds something else.
    """
    content = read(path)
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path}: holds no state dict; give a file of weights")
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise InputError(f"{path}: entry {str(name)[:80]!r} is not a tensor; give a file of weights")
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}


def fill(network: nn.Module, given: Mapping[str, Tensor], path: Path) -> None:
    """Copy tensors into a network whose names and shapes they must have, one for one.

    Args:
        network: Network to fill.
        given: Tensors under the network's own names.
        path: File they come from, for the message.

    Raises:
        InputError: If a tensor is missing, unexpected, of another shape or type, or not finite.
    """
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
            f"{path}: not the expected layout: tensors {'; '.join(told)}; check which network it holds"
        )
    for name, tensor in given.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{path}: tensor {name!r} holds NaN or infinity; get the file again")
    network.load_state_dict(given, assign=True)


def _few(names: set[str]) -> str:
    """The first of them, on one line: a file may hold any names."""
    return ", ".join(
        repr(name)[1:-1][:80] for name in sorted(name.removeprefix("backbone.") for name in names)[:3]
    )
