"""Ranks and collectives: the only module that calls `torch.distributed`."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from sound2scene.types import InputError

T = TypeVar("T")


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


def gather_lists(values: list[T]) -> list[T]:
    """The values of every rank, in rank order; ranks may hold different numbers of them, or none."""
    ranks = world()[1]
    if ranks == 1:
        return values
    found: list[list[T]] = [[] for _ in range(ranks)]
    try:
        dist.all_gather_object(found, values)
    except RuntimeError as error:  # all that gloo says of a process that is gone
        raise InputError(
            f"another of the {ranks} processes has ended ({' '.join(str(error).split())[:200]}); see what it "
            "said, and start all of them again"
        ) from error
    return [value for part in found for value in part]


class Team(NamedTuple):
    """Processes that share a piece of work; each calls the same methods in the same order.

    Attributes:
        rank: Which of them this one is.
        ranks: How many they are; one, unless it is asked for: a group may be there for another purpose.
    """

    rank: int = 0
    ranks: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that does what only one can."""
        return self.rank == 0

    def gather(self, values: list[T]) -> list[T]:
        """The values of all, in their order."""
        return values if self.ranks == 1 else gather_lists(values)

    def of_first(self, value: T) -> T:
        """The first one's value, on all."""
        return self.gather([value])[0]


ALONE = Team()


def everyone() -> Team:
    """All processes of the group; this one, if there is none."""
    return Team(*world())


def leave() -> None:
    """Leave the group of processes, if there is one: from then on this process is alone."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
