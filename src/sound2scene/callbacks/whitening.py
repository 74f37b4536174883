"""Fit an image encoder's whitening to the features that it finds now, before each validation."""

from __future__ import annotations

import pytorch_lightning as pl

from sound2scene.callbacks.features import features_of
from sound2scene.data.clips import clips_of
from sound2scene.lightning import data_of
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.protocols import Exporting
from sound2scene.ranges import PLENTY, check
from sound2scene.types import InputError


class FitWhitening(pl.Callback):
    """Fits `image_encoder.whitening` of the stage `encoder` to training pictures as they are.

    What a validation measures, and what is exported, is then whitened by the features of that moment.

    Args:
        pictures: Most training pictures to take, from the first on.

    Raises:
        InputError: At the validation, if the stage has nothing to whiten.
    """

    def __init__(self, pictures: int = 2048) -> None:
        check("FitWhitening", PLENTY, pictures=pictures)
        self.pictures = pictures

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Fit; every process does so for itself and finds the same."""
        export = pl_module.exports() if isinstance(pl_module, Exporting) else None
        if export is None or not isinstance(export.network, ImageEncoder) or export.network.whitening is None:
            raise InputError(
                "FitWhitening has nothing to fit; set model.init_args.image_encoder.init_args.whitening, or "
                "remove it"
            )
        split, encoder = clips_of(data_of(trainer)).dataset("train"), export.network
        positions = range(min(self.pictures, len(split)))
        export.network.whitening.fit(
            features_of(encoder, export.preset, split, positions, encode=encoder.pooled)
        )
