"""Noise and features that go down a loss, row by row, in steps that a file can hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.nn.functional import normalize

from sound2scene import files
from sound2scene.types import InputError

BETAS = (0.9, 0.99)
WARM_UP = 10  # steps in which the rates rise, so that Adam's first guesses of the curvature do no harm

# Loss of each row and what else is to be kept of it, from noise (R, Z), features (R, D) and rows (R,).
Loss: TypeAlias = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


class Descent:
    """Adam over rows of noise and features; a row never feels another one.

    The features are kept as directions: they are scaled so that an entry is about as large as one of the
    noise, and have unit length when they are read.

    Args:
        noise_RZ: Noise to start from.
        z_RD: Features to start from, of any length but zero.
        steps: Steps of the whole descent, over which the rates fall to zero along a cosine.
        rates: Rates of noise and features; a feature whose rate is zero stays as it is, to the last bit.

    Attributes:
        step: Steps done.
    """

    def __init__(self, noise_RZ: Tensor, z_RD: Tensor, steps: int, rates: tuple[float, float]) -> None:
        self.steps, self.rates, self.step = steps, rates, 0
        self.noise_RZ = noise_RZ.detach().clone().requires_grad_()
        self._still_RD = z_RD.detach().clone()
        scaled_RD = normalize(self._still_RD, dim=1) * math.sqrt(z_RD.shape[1])
        self._z_RD = scaled_RD.requires_grad_(rates[1] > 0)
        moving = [self.noise_RZ, self._z_RD] if rates[1] > 0 else [self.noise_RZ]
        self._adam = torch.optim.Adam([{"params": [one]} for one in moving], betas=BETAS)

    def features(self) -> Tensor:
        """The features (R, D), of unit length; without gradient."""
        return normalize(self._z_RD.detach(), dim=1) if self.rates[1] > 0 else self._still_RD

    def advance(self, loss: Loss, at_once: int) -> tuple[Tensor, Tensor]:
        """One step.

        Args:
            loss: What is minimised.
            at_once: Rows that are drawn together, for the sake of memory.

        Returns:
            What `loss` gave for the rows before the step.
        """
        self._adam.zero_grad(set_to_none=True)
        found = []
        for row_R in parts_of(len(self.noise_RZ), at_once, self.noise_RZ.device):
            z_RD = self._z_RD[row_R] if self.rates[1] > 0 else self._still_RD[row_R]
            loss_R, more_R = loss(self.noise_RZ[row_R], z_RD, row_R)
            torch.autograd.backward([loss_R.sum()])
            found.append((loss_R.detach(), more_R.detach()))
        share = 0.5 * (1 + math.cos(math.pi * self.step / self.steps)) * min(1, (self.step + 1) / WARM_UP)
        for group, rate in zip(self._adam.param_groups, self.rates, strict=False):
            group["lr"] = rate * share
        self._adam.step()
        self.step += 1
        losses, more = zip(*found, strict=True)
        return torch.cat(losses), torch.cat(more)

    def tensors(self) -> dict[str, Tensor]:
        """All that the next step depends on."""
        found = {"noise": self.noise_RZ.detach(), "z": self._z_RD.detach(), "still": self._still_RD}
        for name, parameter in self._moving().items():
            for key, value in self._adam.state.get(parameter, {}).items():
                found[f"{name}.{key}"] = value
        return found

    def restore(self, tensors: dict[str, Tensor], step: int) -> None:
        """Take up :meth:`tensors` of a descent of as many rows after so many steps."""
        self.step = step
        with torch.no_grad():
            self.noise_RZ.copy_(tensors["noise"])
            self._z_RD.copy_(tensors["z"])
            self._still_RD.copy_(tensors["still"])
        for name, parameter in self._moving().items():
            state = {
                key.removeprefix(f"{name}."): value.to(parameter.device if value.ndim else "cpu")
                for key, value in tensors.items()
                if key.startswith(f"{name}.")
            }
            if state:
                self._adam.state[parameter] = state

    def _moving(self) -> dict[str, Tensor]:
        return {"noise": self.noise_RZ} | ({"z": self._z_RD} if self.rates[1] > 0 else {})


def parts_of(rows: int, at_once: int, device: torch.device) -> tuple[Tensor, ...]:
    """The numbers of all rows, cut into parts of so many."""
    return torch.split(torch.arange(rows, device=device), at_once)


def keep(path: Path, tensors: dict[str, Tensor], about: dict[str, str]) -> None:
    """Write a state, all or nothing.

    Raises:
        InputError: If it cannot be written.
    """
    files.write(path, save({name: one.cpu().contiguous() for name, one in tensors.items()}, about))


def kept(path: Path) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    """A state that was written, with what it says of itself; None where there is none.

    Raises:
        InputError: If it is damaged.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in sorted(file.keys())}, dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: damaged ({error}); remove it to begin anew") from None
