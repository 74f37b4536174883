"""Pictures of what an alignment has learned: sounds with their nearest held-out pictures, the same sounds forever."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytorch_lightning as pl
from matplotlib.figure import Figure
from torch.nn.functional import normalize

from sound2scene.callbacks.improvement import PicturesOnImprovement
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.shards.read import ShardDataset
from sound2scene.figures.panels import clip_name, show_picture, show_sound, spread
from sound2scene.protocols import Retrieving
from sound2scene.types import Retrieved

RIGHT, WRONG, OWN = "tab:green", "tab:red", "tab:blue"


class RetrievalPictures(PicturesOnImprovement):
    """Draws `reals.png` and `retrieval_untrained.png` before the first step, `retrieval.png` at each best validation.

    Args:
        monitor: Logged figure that decides which validation is the best.
        rows: Sounds to show, spread evenly over the classes.
        nearest: Pictures per sound.
    """

    best_picture = "retrieval.png"

    def __init__(self, monitor: str, rows: int = 8, nearest: int = 5) -> None:
        super().__init__(monitor, rows)
        self.nearest = nearest

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show what goes in, so that the first minute tells whether data and ranges are right."""
        super().on_fit_start(trainer, pl_module)
        if trainer.is_global_zero and self.folder:
            data = cast(ClipDataModule, trainer.datamodule)  # type: ignore[attr-defined]
            _draw_reals(data.dataset("train"), Path(self.folder) / "reals.png", self.rows)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The untrained state from the sanity check, then every best one."""
        if trainer.sanity_checking:
            self.draw_as("retrieval_untrained.png", trainer, pl_module)
        super().on_validation_end(trainer, pl_module)

    def draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule, path: Path) -> None:
        """Draw what the last validation retrieved, if anything."""
        found = cast(Retrieving, pl_module).retrieved
        if found is not None:
            shards = cast(ClipDataModule, trainer.datamodule).dataset("val")  # type: ignore[attr-defined]
            _draw_retrieval(found, shards, path, self.rows, self.nearest)


def _draw_reals(shards: ShardDataset, path: Path, columns: int) -> None:
    shown = spread(shards.label_N, columns)
    figure = Figure(figsize=(2 * columns, 4.2), layout="constrained")
    grid = figure.subplots(2, len(shown), squeeze=False)
    for column, position in enumerate(shown):
        show_picture(grid[0][column], shards, position)
        show_sound(grid[1][column], shards, position)
        grid[0][column].set_title(clip_name(shards, position), fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def _draw_retrieval(found: Retrieved, shards: ShardDataset, path: Path, rows: int, nearest: int) -> None:
    shown = spread(found.label_N, rows)
    similarity_RN = normalize(found.z_audio_ND[shown], dim=1) @ normalize(found.z_image_ND, dim=1).T
    order_RK = similarity_RN.topk(min(nearest, len(found.index_N)), dim=1).indices
    figure = Figure(figsize=(2 * (nearest + 2), 2 * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), nearest + 2, squeeze=False)
    for row, query in enumerate(shown):
        position = int(found.index_N[query])
        show_sound(grid[row][0], shards, position)
        show_picture(grid[row][1], shards, position)
        grid[row][0].set_title(clip_name(shards, position), fontsize=8)
        for column, item in enumerate(order_RK[row].tolist()):
            other = int(found.index_N[item])
            same = bool(found.label_N[item] == found.label_N[query] >= 0)
            show_picture(
                grid[row][2 + column], shards, other, OWN if item == query else RIGHT if same else WRONG
            )
            grid[row][2 + column].set_title(clip_name(shards, other), fontsize=7)
        for axes in grid[row][2 + order_RK.shape[1] :]:
            axes.axis("off")
    figure.suptitle(
        f"sound | its own picture | nearest of {len(found.index_N)} held-out pictures "
        "(blue: its own, green: same class, red: another)",
        fontsize=10,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=70)
