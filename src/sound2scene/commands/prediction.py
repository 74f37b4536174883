"""The one trainer of commands that predict: `select` and `evaluate`."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.strategies import DDPStrategy, ParallelStrategy

from sound2scene.commands.quiet import quiet
from sound2scene.types import InputError

# What Lightning raises where a machine is not as it was told; a RuntimeError, where SLURM was told otherwise.
REFUSALS = (MisconfigurationException, ModuleNotFoundError, ValueError, TypeError, RuntimeError)


def trainer_of(callbacks: list[pl.Callback], **machine: Any) -> pl.Trainer:
    """A trainer that writes nothing by itself; one process by default.

    Args:
        callbacks: Its callbacks.
        machine: Further arguments of Lightning's Trainer: `accelerator`, `devices`, `num_nodes` ...

    Raises:
        InputError: If the machine has no such devices, or other processes were started.
    """
    quiet()
    settings: dict[str, Any] = {
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "callbacks": callbacks,
        **machine,
    }
    try:
        trainer = pl.Trainer(**settings)
        if trainer.world_size > 1:
            # A rank that is through waits for the others: longer than the usual half hour, where videos are
            # long.
            trainer = pl.Trainer(**settings, strategy=DDPStrategy(timeout=timedelta(days=30)))
        check_processes(trainer)
    except REFUSALS as error:
        asked = ", ".join(f"--{name.removeprefix('num_')} {machine[name]}" for name in machine)
        raise InputError(f"{asked}: {' '.join(str(error).split())}; choose what is there") from None
    cores = os.cpu_count() or 1
    if isinstance(trainer.accelerator, CPUAccelerator) and trainer.num_devices > cores:
        raise InputError(f"--devices {trainer.num_devices}: this machine has {cores} cores; take fewer")
    return trainer


def check_processes(trainer: pl.Trainer) -> None:
    """Compare what torchrun or SLURM has started with what a trainer was told; Lightning does so at a launch.

    Raises:
        ValueError: If the numbers differ: the processes would wait for ever for others that nobody starts.
    """
    strategy = trainer.strategy
    if isinstance(strategy, ParallelStrategy) and strategy.cluster_environment is not None:
        strategy.cluster_environment.validate_settings(trainer.num_devices, trainer.num_nodes)
