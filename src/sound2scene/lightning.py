"""The one place that leans on what Lightning does not promise; each lean has a test of its own.

Attributes without type hints, private ones, and counters deep inside the loops: an upgrade of Lightning that
moves one of them fails here, by name.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytorch_lightning as pl
import torch
from lightning_fabric.loggers.logger import rank_zero_experiment
from lightning_fabric.utilities import move_data_to_device
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.strategies import DDPStrategy
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from sound2scene.protocols import Telling
from sound2scene.types import DataFacts, InputError

T = TypeVar("T")


def data_of(trainer: pl.Trainer) -> pl.LightningDataModule:
    """The DataModule that a trainer runs on."""
    found: Any = getattr(trainer, "datamodule", None)
    if not isinstance(found, pl.LightningDataModule):
        raise InputError("a stage trains on a LightningDataModule; give one as `data`")
    return found


def facts_of(trainer: pl.Trainer) -> DataFacts:
    """What the data tells of itself; nothing where it tells nothing."""
    data = data_of(trainer)
    return data.facts() if isinstance(data, Telling) else DataFacts()


def scheduled(
    trainer: pl.Trainer, optimizer: Optimizer, schedule: Callable[[Optimizer, int], LRScheduler] | None
) -> Any:
    """An optimizer with the schedule of its rate, by step, as `configure_optimizers` hands them over.

    Args:
        trainer: Trainer of the stage, which knows how many steps there will be.
        optimizer: The optimizer.
        schedule: Makes its schedule, given the number of steps; None leaves the rate constant.
    """
    if schedule is None:
        return optimizer
    scheduler = schedule(optimizer, int(trainer.estimated_stepping_batches))
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def steps_logged(checkpoint: Mapping[str, Any]) -> int:
    """Steps whose figures do not come again after a checkpoint; Lightning counts its last one afterwards."""
    return int(checkpoint["loops"]["fit_loop"]["epoch_loop.state_dict"]["_batches_that_stepped"]) + 1


class ResumedLog(CSVLogger):
    """The log of a run that goes on in its own folder: what was logged before its checkpoint stays.

    Lightning's would begin with an empty file.

    Args:
        folder: Folder of the run.
        steps: Steps whose figures stay; what a killed run logged beyond its checkpoint comes again.
    """

    def __init__(self, folder: Path, steps: int) -> None:
        super().__init__(folder.parent, "", folder.name)
        self._kept: list[dict[str, Any]] = []
        path = Path(self.log_dir) / "metrics.csv"
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                self._kept = [row for row in csv.DictReader(file) if int(row["step"]) < steps]

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """Writer of the file."""
        is_new = self._experiment is None
        with warnings.catch_warnings():
            # It warns that it deletes the file, which is written again here.
            warnings.filterwarnings("ignore", "Experiment logs directory")
            writer = super().experiment
        if is_new:
            writer.metrics = [*self._kept]
            writer.save()
        return writer


def device_of(trainer: pl.Trainer) -> torch.device:
    """Device on which this process computes."""
    return trainer.strategy.root_device


def clips_in(loaders: Any) -> int:
    """Clips that the loaders of a split go through, over all processes."""
    several = loaders if isinstance(loaders, (list, tuple)) else [] if loaders is None else [loaders]
    return sum(len(getattr(loader.sampler, "dataset", None) or loader.dataset) for loader in several)


def is_dry_run(trainer: pl.Trainer) -> bool:
    """Whether the trainer only tries a few batches (`fast_dev_run`), which leaves no trace."""
    found: Any = getattr(trainer, "fast_dev_run", False)
    return bool(found)


def batches_trained(trainer: pl.Trainer) -> int:
    """Batches trained on to their end, over all runs that were resumed into this one."""
    progress: Any = trainer.fit_loop.epoch_loop.batch_progress
    return int(progress.total.processed)


def batches_begun(trainer: pl.Trainer) -> int:
    """Batches that training has begun, over all runs that were resumed into this one."""
    progress: Any = trainer.fit_loop.epoch_loop.batch_progress
    return int(progress.total.ready)


def allow_unused_parameters(trainer: pl.Trainer) -> None:
    """Let DDP bear that a backward pass reaches some parameters alone, as where two networks take turns.

    Lightning has no public place to say so but the recipe, where a forgotten key would end in a riddle.
    """
    if isinstance(trainer.strategy, DDPStrategy):
        trainer.strategy._ddp_kwargs.setdefault("find_unused_parameters", True)


def plain_optimizers(module: pl.LightningModule) -> list[Optimizer]:
    """The optimizers themselves, without the wrapper that counts their steps."""
    found: Any = module.optimizers(use_pl_optimizer=False)
    return list(found) if isinstance(found, list) else [found]


def counted_optimizers(module: pl.LightningModule) -> list[Any]:
    """The optimizers in Lightning's wrapper: a step of one of them advances `global_step`."""
    found: Any = module.optimizers()
    return list(found) if isinstance(found, list) else [found]


def moved(batch: T, device: torch.device) -> T:
    """A batch with its tensors on that device."""
    found: T = move_data_to_device(batch, device)
    return found
