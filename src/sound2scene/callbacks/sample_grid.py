"""Pictures of what a generator draws, for the same clips and the same noise forever."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure

from sound2scene import images
from sound2scene.callbacks.run_pictures import RunPictures, state_words
from sound2scene.data.clips import clips_of
from sound2scene.figures.animation import animate
from sound2scene.figures.grid import draw_grid
from sound2scene.figures.panels import spread
from sound2scene.figures.words import noise_words
from sound2scene.lightning import data_of, is_dry_run, moved
from sound2scene.protocols import Sampling
from sound2scene.ranges import CHANNELS, check
from sound2scene.types import HeardBatch, InputError

SEED = 0


class SampleGrid(RunPictures):
    """Draws held-out clips, one a row: kind, sound where the stage hears it, real picture, generated ones.

    `samples/step_0000000.png` before the first step shows reals and first fakes, one more file each
    validation shows the same latents, and `generated.png` is the grid of the best validation. Draw j of every
    row has the noise of seed 0 and draw j, so that `sound2scene generate` draws a picture of it again.
    When the run ends or is stopped, `samples.gif` shows the grids of the folder one after the other.

    Args:
        rows: Clips to show, spread evenly over the classes.
        draws: Pictures per clip.
    """

    best_picture = "generated.png"

    def __init__(self, rows: int = 8, draws: int = 3) -> None:
        super().__init__(rows)
        check("SampleGrid", CHANNELS, draws=draws)
        self.draws = draws

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Reals and first fakes, unless the run goes on from a checkpoint."""
        if trainer.global_step == 0:
            self.draw_as(f"samples/step_{0:07d}.png", trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The same latents again."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self.draw_as(f"samples/step_{trainer.global_step:07d}.png", trainer, pl_module)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The grids of the whole run."""
        self._animate(trainer)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """The grids until Ctrl-C."""
        if isinstance(exception, KeyboardInterrupt):
            self._animate(trainer)

    def draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> Figure | None:
        """Draw the grid, in other than dry runs."""
        if is_dry_run(trainer):
            return None
        if not isinstance(pl_module, Sampling):
            raise InputError(f"{type(pl_module).__name__} draws no pictures; remove SampleGrid")
        data = clips_of(data_of(trainer))
        split = data.dataset("val")
        shown = spread(split.label_N, self.rows)
        batch = moved(data.examples("val", shown), pl_module.device)
        was_training = pl_module.training
        pl_module.eval()
        with torch.no_grad():
            seeds = [SEED] * len(shown)
            drawn = [
                images.to_pixel(pl_module.sample(batch, seeds, draw)).cpu() for draw in range(self.draws)
            ]
        pl_module.train(was_training)
        about = f"{state_words(trainer)}; {noise_words(SEED, self.draws)}"
        return draw_grid(split, shown, torch.stack(drawn, dim=1), isinstance(batch, HeardBatch), about)

    def _animate(self, trainer: pl.Trainer) -> None:
        if trainer.is_global_zero and self.folder:
            folder = Path(self.folder)
            animate(sorted((folder / "samples").glob("step_*.png")), folder / "samples.gif")
