"""Pictures that a run draws into its folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import pytorch_lightning as pl
from matplotlib.figure import Figure

from sound2scene.data.batches.resumable import ResumableDataModule
from sound2scene.figures.panels import Format, save
from sound2scene.lightning import data_of
from sound2scene.ranges import CHANNELS, check


class RunPictures(pl.Callback, ABC):
    """Draws the present state under several names, the one called `best_picture` at each best validation.

    Args:
        rows: Clips to show, spread evenly over the classes.

    Attributes:
        formats: In what else than PNG the pictures are written; the run's, see `run.figures`.
    """

    best_picture: ClassVar[str]

    def __init__(self, rows: int) -> None:
        check(type(self).__name__, CHANNELS, rows=rows)
        self.rows = rows
        self.folder: str | None = None
        self.formats: tuple[Format, ...] = ()

    @abstractmethod
    def draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> Figure | None:
        """A picture of the present state, if there is anything to show."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Learn where the run writes."""
        # A broadcast: every rank has to ask, here and not where the first draws alone.
        self.folder = trainer.log_dir

    def improved(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the best picture anew."""
        self.draw_as(self.best_picture, trainer, pl_module)

    def draw_as(self, name: str, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw under a name in that folder: on the first rank, where there is a folder."""
        if trainer.is_global_zero and self.folder:
            figure = self.draw(trainer, pl_module)
            if figure is not None:
                save(figure, Path(self.folder) / name, self.formats)


def seed_words(trainer: pl.Trainer) -> str:
    """With which seed a run trains: `seed 0`."""
    data = data_of(trainer)
    return f"seed {data.seed}" if isinstance(data, ResumableDataModule) else "seed unknown"


def state_words(trainer: pl.Trainer) -> str:
    """Which state of a run is drawn: `step 160, seed 0`."""
    step = trainer.global_step
    return f"step {step}{'' if step else ' (untrained)'}, {seed_words(trainer)}"
