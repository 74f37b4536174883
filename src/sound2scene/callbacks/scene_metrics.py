"""Whether the pictures that a stage draws show what they should, with every validation and test."""

from __future__ import annotations

import pytorch_lightning as pl

from sound2scene import artifacts, images
from sound2scene.callbacks.split_metrics import SplitMetrics
from sound2scene.data.clips import clips_of
from sound2scene.data.toy.scenes import scenes_of
from sound2scene.divergence import finite
from sound2scene.latent import seed_of_clip
from sound2scene.lightning import data_of
from sound2scene.metrics.scenes import SceneScores
from sound2scene.models.reader import Reader
from sound2scene.protocols import CeilingSampling, Sampling
from sound2scene.ranges import PLENTY, check
from sound2scene.types import FeatureBatch, HeardBatch, InputError, PictureBatch, Scene

SEED = 0
Drawable = HeardBatch | FeatureBatch | PictureBatch
FROM_Z_IMAGE = "_from_z_image"


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
        if not isinstance(pl_module, Sampling):
            raise InputError(f"{type(pl_module).__name__} draws no pictures; remove SceneMetrics")
        self.reader.to(pl_module.device)
        for scores in self.scores.values():
            scores.to(pl_module.device)

    def add(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Drawable, split: str) -> None:
        """Draw and read."""
        assert isinstance(pl_module, Sampling)
        shown_in = clips_of(data_of(trainer)).dataset(split)
        positions = batch.index_B.tolist()
        seen = scenes_of(shown_in, positions)
        heard = scenes_of(shown_in, positions, heard=True) if isinstance(batch, HeardBatch) else seen
        seeds = [seed_of_clip(SEED, key) for key in batch.key]
        for draw in range(self.draws):
            drawn = {"": (pl_module.sample(batch, seeds, draw), heard)}
            if isinstance(pl_module, CeilingSampling):
                drawn[FROM_Z_IMAGE] = (pl_module.sample_ceiling(batch, seeds, draw), seen)
            for name, (image_BCHW, true) in drawn.items():
                finite(image_BCHW, "pictures", batch.key, trainer.global_step)
                read = self.reader.read(images.to_pixel(image_BCHW))
                self.scores[name].update(read, Scene(*(part.to(image_BCHW.device) for part in true)))

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
