"""Tensors by the rule of `parity/README.md`: every one follows from its name and shape alone."""

import math
import zlib
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

T = TypeVar("T", bound=nn.Module)


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def input_tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    """A standard normal float32 input."""
    return torch.from_numpy(_generator(name).standard_normal(shape).astype(np.float32))


def weight(name: str, shape: tuple[int, ...]) -> Tensor:
    """A parameter or buffer under its published name."""
    g, last = _generator(name), name.rpartition(".")[2]
    if last == "num_batches_tracked":
        return torch.zeros(shape, dtype=torch.int64)
    if last in ("running_var", "stored_var", "sv0"):
        values = 0.5 + g.random(shape)
    elif last == "u0":
        values = g.standard_normal(shape)
    elif len(shape) >= 2:
        values = g.standard_normal(shape) * math.sqrt(2 / math.prod(shape[1:]))
    elif last in ("weight", "gain"):
        values = 1 + 0.1 * g.standard_normal(shape)
    elif last == "gamma":
        values = np.full(shape, 0.5)
    else:
        values = 0.1 * g.standard_normal(shape)
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def state(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    """A whole state dict, from names and shapes as in `parity/state_dict_keys.json`."""
    return {name: weight(name, tuple(shape)) for name, shape in shapes.items()}


def filled(make: Callable[[], T]) -> T:
    """A network by that rule, in eval mode; drawing random weights first would take longer than the test."""
    with torch.device("meta"):
        network = make()
    shapes = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    network.load_state_dict(state(shapes), assign=True)
    return network.eval()


def relative_error(got: Tensor, expected: np.ndarray) -> float:
    """Largest absolute difference over the largest absolute reference value."""
    reference = torch.from_numpy(expected).double()
    assert got.shape == reference.shape
    return float((got.double() - reference).abs().max() / reference.abs().max())
