"""Whether the pictures that a stage draws show what they should, with every validation and test."""

from __future__ import annotations

import pytorch_lightning as pl

from sound2scene import artifacts
from sound2scene.callbacks.drawings import FROM_Z_IMAGE, Drawable, drawing_stage, drawn
from sound2scene.callbacks.split_metrics import SplitMetrics
from sound2scene.data.clips import clips_of
from sound2scene.data.toy.scenes import scenes_of
from sound2scene.lightning import data_of
from sound2scene.metrics.scenes import SceneScores
from sound2scene.models.reader import Reader
from sound2scene.ranges import PLENTY, check
from sound2scene.types import HeardBatch, Scene


class SceneMetrics(SplitMetrics):
    """Reads the pictures that a stage draws for held-out toy clips, and compares them with what is true.

    Pictures of sounds are compared with what the whole sound tells, pictures of true z_image with what the
    clip's picture shows. Logs `{val|test}/{figure}/n{pictures}_{split}_{reader}_{size}`; figures as in
    `sound2scene.metrics.scenes`. Draw j of a clip has the noise of the clip's own seed and draw j.

    Args:
        reader: Folder of a reader artifact.
        draws: Pictures per clip.

    Raises:
        InputError: If the artifact is missing.
    """

    def __init__(self, reader: str, draws: int = 1) -> None:
        check("SceneMetrics", PLENTY, draws=draws)
        network = artifacts.load(reader, kind="reader").requires_grad_(False)
        assert isinstance(network, Reader)
        self.reader, self.draws = network, draws
        self.scores = {suffix: SceneScores() for suffix in ("", FROM_Z_IMAGE)}

    def begin(self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: str) -> None:
        """Go where the pictures are."""
        drawing_stage(pl_module, self)
        self.reader.to(pl_module.device)
        for scores in self.scores.values():
            scores.to(pl_module.device)

    def add(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Drawable, split: str) -> None:
        """Draw and read."""
        shown_in = clips_of(data_of(trainer)).dataset(split)
        positions = batch.index_B.tolist()
        seen = scenes_of(shown_in, positions)
        heard = scenes_of(shown_in, positions, heard=True) if isinstance(batch, HeardBatch) else seen
        for draw in range(self.draws):
            for name, pixels_BCHW in drawn(trainer, pl_module, batch, draw).items():
                true = seen if name == FROM_Z_IMAGE else heard
                read = self.reader.read(pixels_BCHW)
                self.scores[name].update(read, Scene(*(part.to(pixels_BCHW.device) for part in true)))

    def finish(self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: str) -> None:
        """Log, and forget."""
        for suffix, scores in self.scores.items():
            if not scores.update_called:
                continue
            count, figures = scores.compute()
            scores.reset()
            for name, value in figures.items():
                where = f"n{count}_{split}_{self.reader.protocol}"
                pl_module.log(f"{split}/{name}{suffix}/{where}", value, rank_zero_only=False)
