"""Pictures of the batch at hand, drawn once for all callbacks that measure them."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import pytorch_lightning as pl
from torch import Tensor

from sound2scene import images
from sound2scene.divergence import finite
from sound2scene.latent import seed_of_clip
from sound2scene.protocols import CeilingSampling, Sampling
from sound2scene.types import FeatureBatch, HeardBatch, InputError, PictureBatch

SEED = 0
Drawable = HeardBatch | FeatureBatch | PictureBatch
FROM_Z_IMAGE = "_from_z_image"


class Drawings:
    """The pictures that a stage draws for one batch; those of the batch before are forgotten."""

    def __init__(self) -> None:
        self._batch: Drawable | None = None
        self._drawn: dict[tuple[str, int], Tensor] = {}

    def of(self, stage: Sampling[Drawable], batch: Drawable, draw: int, step: int) -> dict[str, Tensor]:
        """Pictures of the clips, uint8 (B, 3, H, W), under ""; and, where the stage has a ceiling, its own.

        Args:
            stage: The stage.
            batch: The batch; draw j of a clip has the noise of the clip's own seed and draw j, see
                `sound2scene.latent.noise`.
            draw: Number of the draw.
            step: Optimizer step, for the message.

        Raises:
            DivergedError: If a picture is not finite.
        """
        if batch is not self._batch:
            self._batch, self._drawn = batch, {}
        ways = {"": stage.sample}
        if isinstance(stage, CeilingSampling):
            ways[FROM_Z_IMAGE] = stage.sample_ceiling
        seeds = [seed_of_clip(SEED, key) for key in batch.key]
        for name, sample in ways.items():
            if (name, draw) not in self._drawn:
                image_BCHW = finite(sample(batch, seeds, draw), "pictures", batch.key, step)
                self._drawn[name, draw] = images.to_pixel(image_BCHW)
        return {name: self._drawn[name, draw] for name in ways}


_DRAWINGS: WeakKeyDictionary[pl.Trainer, Drawings] = WeakKeyDictionary()


def drawn(
    trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Drawable, draw: int
) -> dict[str, Tensor]:
    """What :meth:`Drawings.of` gives for the batch at hand of a trainer.

    Raises:
        DivergedError: If a picture is not finite.
    """
    assert isinstance(pl_module, Sampling), "the callback has asked before"
    return _DRAWINGS.setdefault(trainer, Drawings()).of(pl_module, batch, draw, trainer.global_step)


def drawing_stage(pl_module: pl.LightningModule, callback: pl.Callback) -> Sampling[Drawable]:
    """The stage, which draws.

    Raises:
        InputError: If it does not.
    """
    if not isinstance(pl_module, Sampling):
        raise InputError(f"{type(pl_module).__name__} draws no pictures; remove {type(callback).__name__}")
    return pl_module
