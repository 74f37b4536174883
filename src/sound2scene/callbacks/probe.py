"""What an image encoder's features know of size and place, with every validation."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch import Tensor

from sound2scene.callbacks.features import features_of
from sound2scene.data.clips import clips_of
from sound2scene.data.toy.scenes import scenes_of
from sound2scene.lightning import data_of
from sound2scene.metrics.probe import probe_r2
from sound2scene.metrics.scenes import PLACES
from sound2scene.protocols import Exporting
from sound2scene.ranges import PLENTY, check
from sound2scene.types import InputError


class Probe(pl.Callback):
    """Asks a two-layer probe for diameter, height and left-right in the features of toy pictures.

    What the views of self-supervision throw away can be drawn by no generator: the probe shows it before one
    is trained. It learns from training pictures of one source and is asked about all held-out ones. Logs
    `val/probe_diameter_r2` and its like; see `sound2scene.metrics.probe`.

    Args:
        clips: Most training pictures to learn from.

    Raises:
        InputError: At the validation, if the stage exports no network, or the data is not of the toy world.
    """

    def __init__(self, clips: int = 1280) -> None:
        check("Probe", PLENTY, clips=clips)
        self.clips = clips

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log; every process asks for itself and finds the same."""
        if trainer.sanity_checking:
            return
        if not isinstance(pl_module, Exporting):
            raise InputError(f"{type(pl_module).__name__} has no encoder to probe; remove Probe")
        data, export = clips_of(data_of(trainer)), pl_module.exports()
        found: list[Tensor] = []
        for name, most in (("train", self.clips), ("val", None)):
            split = data.dataset(name)
            positions = (split.label_N >= 0).nonzero()[:most, 0].tolist()
            scene = scenes_of(split, positions)
            place_N3 = scene.place_BK3[torch.arange(len(positions)), split.label_N[positions]]
            feature_ND = features_of(export.network, export.preset, split, positions)
            found += [torch.nn.functional.normalize(feature_ND, dim=1), place_N3]
        values = probe_r2(found[0], found[1], found[2], found[3])
        for place, value in zip(PLACES, values, strict=True):
            pl_module.log(f"val/probe_{place}_r2", value, rank_zero_only=False)
