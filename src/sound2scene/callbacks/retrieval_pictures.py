"""Pictures of what an alignment has learned: the same sounds with their nearest held-out pictures."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
from matplotlib.figure import Figure

from sound2scene.callbacks.run_pictures import RunPictures, seed_words, state_words
from sound2scene.data.clips import clips_of
from sound2scene.figures.panels import save
from sound2scene.figures.retrieval import draw_reals, draw_retrieval
from sound2scene.lightning import data_of
from sound2scene.protocols import Retrieving, Sounds
from sound2scene.ranges import CHANNELS, check
from sound2scene.types import InputError


class RetrievalPictures(RunPictures):
    """Draws `reals.png` and `retrieval_untrained.png` at the start, `retrieval.png` at each best validation.

    A run that goes on from a checkpoint has no untrained state to draw.

    Args:
        rows: Sounds to show, spread evenly over the classes.
        nearest: Pictures per sound.
    """

    best_picture = "retrieval.png"

    def __init__(self, rows: int = 8, nearest: int = 5) -> None:
        super().__init__(rows)
        check("RetrievalPictures", CHANNELS, nearest=nearest)
        self.nearest = nearest

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show what goes in, so that the first minute tells whether data and ranges are right."""
        super().on_fit_start(trainer, pl_module)
        if trainer.is_global_zero and self.folder:
            figure = draw_reals(self._split(trainer, "train"), self.rows, seed_words(trainer))
            save(figure, Path(self.folder) / "reals.png", self.formats)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The untrained state from the sanity check, which a run that goes on has behind it."""
        if trainer.sanity_checking and trainer.global_step == 0:
            self.draw_as("retrieval_untrained.png", trainer, pl_module)

    def draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> Figure | None:
        """Draw what the last validation retrieved, if anything."""
        if not isinstance(pl_module, Retrieving):
            raise InputError(f"{type(pl_module).__name__} retrieves no pictures; remove RetrievalPictures")
        if pl_module.retrieved is None:
            return None
        split = self._split(trainer, "val")
        return draw_retrieval(pl_module.retrieved, split, self.rows, self.nearest, state_words(trainer))

    def _split(self, trainer: pl.Trainer, name: str) -> Sounds:
        split = clips_of(data_of(trainer)).dataset(name)
        if not isinstance(split, Sounds):
            raise InputError(f"{split.where(0)}: there are no sounds to show; remove RetrievalPictures")
        return split
