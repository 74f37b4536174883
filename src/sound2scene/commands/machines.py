"""Several machines that share work which no trainer drives: one process of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sound2scene import distributed
from sound2scene.distributed import ALONE, Team


@contextmanager
def joined(machines: int) -> Iterator[Team]:
    """Let one process of each machine share the work of a block.

    Who is which, and where they meet, comes from whatever started them, through Lightning's environments:
    torchrun, SLURM ...

    Args:
        machines: How many; one is alone, whatever the environment says.

    Raises:
        InputError: If another number of processes was started.
    """
    if machines == 1:
        yield ALONE
        return
    from sound2scene.commands.prediction import trainer_of  # which takes seconds

    trainer_of([], num_nodes=machines, accelerator="cpu").strategy.setup_environment()
    try:
        yield distributed.everyone()
    finally:
        distributed.leave()
