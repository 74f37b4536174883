"""Stage `reader`: a network that reads what a toy picture shows, by which control is measured."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor

from sound2scene.distributed import gather
from sound2scene.divergence import finite
from sound2scene.lightning import facts_of, scheduled
from sound2scene.losses.scene import SceneLoss
from sound2scene.metrics.scenes import SceneScores
from sound2scene.models.reader import Reader
from sound2scene.optimization import WarmupCosine
from sound2scene.stages.measured import MeasuredModule
from sound2scene.types import Export, InputError, SceneBatch


class ReaderStage(MeasuredModule):
    """Trains a reader with all that is known of pictures.

    Args:
        reader: Network to train; as many classes as the data has.
        image_preset: The `pixels*` chain at the resolution of the generator whose pictures it is to read.
        loss: Loss of its answers.
        optimizer: Optimizer for the reader.
        schedule: Schedule of the learning rate.

    Raises:
        InputError: At the start, if the reader has another number of classes than the data.
    """

    def __init__(
        self,
        reader: Reader,
        image_preset: str,
        loss: SceneLoss | None = None,
        optimizer: OptimizerCallable = lambda parameters: torch.optim.Adam(
            parameters, lr=1e-3, weight_decay=1e-5
        ),
        schedule: WarmupCosine | None = None,
    ) -> None:
        super().__init__()
        self.reader, self.image_preset, self.loss = reader, image_preset, loss or SceneLoss()
        self.optimizer, self.schedule = optimizer, schedule or WarmupCosine(10, None, 0.0)
        self.scores = SceneScores()
        self.class_names: list[str] = []

    def setup(self, stage: str) -> None:
        """Look whether classes fit."""
        self.class_names = list(facts_of(self.trainer).classes)
        if len(self.class_names) != self.reader.classes:
            raise InputError(
                f"reader.classes is {self.reader.classes} and the data has {len(self.class_names)}; make "
                "them the same"
            )

    def training_step(self, batch: SceneBatch, batch_index: int) -> Tensor:
        """Loss over the pictures of this rank."""
        loss: Tensor = self.loss(self.reader(batch.image_BCHW), batch.scene)
        mean = gather(loss.detach()[None]).mean()
        finite(mean, "scene loss", batch.key, self.global_step)
        self.log("train/loss", mean, prog_bar=True)
        return loss

    def validation_step(self, batch: SceneBatch, batch_index: int) -> None:
        """Read held-out pictures."""
        raw = self.reader(batch.image_BCHW)
        for part in raw:
            finite(part, "what the reader says", batch.key, self.global_step)
        self.scores.update(self.reader.shown(raw), batch.scene)

    def report(self, split: str) -> None:
        """Log the figures of a split."""
        _, figures = self.scores.compute()
        self.scores.reset()
        for name, value in figures.items():
            self.log(f"{split}/{name}", value, prog_bar=name == "kinds_right", rank_zero_only=False)

    def configure_optimizers(self) -> Any:
        """The optimizer and its schedule."""
        optimizer = self.optimizer(self.reader.parameters())
        return scheduled(self.trainer, optimizer, self.schedule)

    def exports(self) -> Export:
        """The reader, and the names of its classes."""
        return Export(self.reader, "reader", self.image_preset, {"classes": self.class_names})
