"""Ranks and collectives: the only module that calls `torch.distributed`."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def world() -> tuple[int, int]:
    """Rank of this process and number of processes; (0, 1) if nothing is distributed."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def barrier() -> None:
    """Wait for every process; return at once if there is only one."""
    if world()[1] > 1:
        dist.barrier()


class _Gather(torch.autograd.Function):
    """All-gather whose backward sums, over ranks, the gradients that each rank computed for this rank's rows.

    Every rank computes the whole loss, so that this sum is the number of ranks times the gradient of one
    loss; DDP's average over ranks removes the factor. A gather without gradient would lose the other ranks'
    share: exactly half at two ranks.
    """

    @staticmethod
    def forward(ctx: Any, z_BD: Tensor) -> Tensor:
        """Rows of all ranks, in rank order."""
        rank, ranks = world()
        ctx.rows = slice(rank * len(z_BD), (rank + 1) * len(z_BD))
        z_GD = z_BD.new_empty(ranks * len(z_BD), *z_BD.shape[1:])
        dist.all_gather(list(z_GD.chunk(ranks)), z_BD.contiguous())
        return z_GD

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """This rank's rows of the summed gradient."""
        (gradient_GD,) = gradients
        summed_GD = gradient_GD.contiguous().clone()
        dist.all_reduce(summed_GD)
        rows: slice = ctx.rows
        return summed_GD[rows]


def gather(z_BD: Tensor) -> Tensor:
    """Rows of every rank, (ranks * B, D) in rank order, with gradients.

    Every rank must hold the same number of rows. One process alone gets its input back.
    """
    if world()[1] == 1:
        return z_BD
    gathered: Tensor = _Gather.apply(z_BD)
    return gathered


def gather_lists(values: list[Any]) -> list[Any]:
    """The values of every rank, in rank order; ranks may hold different numbers of them, or none."""
    ranks = world()[1]
    if ranks == 1:
        return values
    found: list[list[Any]] = [[] for _ in range(ranks)]
    dist.all_gather_object(found, values)
    return [value for part in found for value in part]
