"""Pictures of what a generator draws, for the same clips and the same noise forever."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities import move_data_to_device
from matplotlib.figure import Figure
from torch import Tensor

from sound2scene import images
from sound2scene.callbacks.improvement import PicturesOnImprovement
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.shards.read import ShardDataset
from sound2scene.figures.panels import clip_name, show_picture, show_pixels, show_sound, spread
from sound2scene.protocols import Sampling


class SampleGrid(PicturesOnImprovement):
    """Draws held-out clips, one a row: kind, its sound where the stage hears it, the real picture, generated ones.

    `samples/step_0000000.png` before the first step shows reals and first fakes, one more file each
    validation shows the same latents, and `generated.png` is the grid of the best validation.

    Args:
        monitor: Logged figure that decides which validation is the best.
        rows: Clips to show, spread evenly over the classes.
        draws: Pictures per clip.
    """

    best_picture = "generated.png"

    def __init__(self, monitor: str, rows: int = 8, draws: int = 3) -> None:
        super().__init__(monitor, rows)
        self.draws = draws

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Reals and first fakes, unless the run goes on from a checkpoint."""
        if trainer.global_step == 0:
            self.draw_as(f"samples/step_{0:07d}.png", trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The same latents again."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self.draw_as(f"samples/step_{trainer.global_step:07d}.png", trainer, pl_module)
        super().on_validation_end(trainer, pl_module)

    def draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule, path: Path) -> None:
        """Draw the grid, in other than dry runs."""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        data = cast(ClipDataModule, trainer.datamodule)  # type: ignore[attr-defined]
        shards = data.dataset("val")
        shown = spread(shards.label_N, self.rows)
        batch = data.examples("val", shown)
        moved = move_data_to_device(batch, pl_module.device)
        was_training = pl_module.training
        pl_module.eval()
        with torch.no_grad():
            drawn = [
                images.to_pixel(cast(Sampling, pl_module).sample(moved, draw)).cpu()
                for draw in range(self.draws)
            ]
        pl_module.train(was_training)
        draw_grid(shards, shown, torch.stack(drawn, dim=1), path, batch.waveform_BT is not None)


def draw_grid(shards: ShardDataset, shown: list[int], drawn_BJCHW: Tensor, path: Path, sounds: bool) -> None:
    """Write a grid: for each clip its kind, its sound if asked for, its picture, and J generated ones (uint8)."""
    first = 2 if sounds else 1
    figure = Figure(figsize=(1.6 * (first + drawn_BJCHW.shape[1]), 1.75 * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), first + drawn_BJCHW.shape[1], squeeze=False)
    for row, position in zip(grid, shown, strict=True):
        if sounds:
            show_sound(row[0], shards, position)
        show_picture(row[first - 1], shards, position)
        row[0].set_ylabel(clip_name(shards, position), fontsize=9)
    for row, drawn_JCHW in zip(grid, drawn_BJCHW, strict=True):
        for axes, pixels_CHW in zip(row[first:], drawn_JCHW, strict=True):
            show_pixels(axes, pixels_CHW)
    for axes, title in zip(grid[0], [*(["sound"] if sounds else []), "real", "generated"], strict=False):
        axes.set_title(title, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
