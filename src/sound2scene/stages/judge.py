"""Stage `judge`: a classifier of pictures, by which generated ones are measured."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics.classification import MulticlassAccuracy

from sound2scene.distributed import gather, world
from sound2scene.divergence import finite
from sound2scene.lightning import facts_of, scheduled
from sound2scene.models.judge import Judge
from sound2scene.optimization import WarmupCosine
from sound2scene.ranges import SHARE, check
from sound2scene.stages.measured import MeasuredModule
from sound2scene.types import DataFacts, Export, InputError, PictureBatch


class JudgeStage(MeasuredModule):
    """Trains a judge with labels, on pixels.

    Args:
        judge: Network to train; as many classes as the data has.
        image_preset: The `pixels*` chain at the resolution of the generator that it is to judge.
        optimizer: Optimizer for the judge.
        schedule: Schedule of the learning rate.
        smoothing: Share of each label that is spread over all classes.

    Raises:
        InputError: At the start, if the judge has another number of classes than the data, or a split has no
            labels.
    """

    def __init__(
        self,
        judge: Judge,
        image_preset: str,
        optimizer: OptimizerCallable = lambda parameters: torch.optim.Adam(
            parameters, lr=1e-3, weight_decay=1e-5
        ),
        schedule: WarmupCosine | None = None,
        smoothing: float = 0.1,
    ) -> None:
        super().__init__()
        check("model", SHARE, smoothing=smoothing)
        # On CPUs and with bf16 on GPUs convolutions are about twice as fast with channels last; values do not
        # change.
        self.judge = judge.to(memory_format=torch.channels_last)
        self.image_preset, self.smoothing = image_preset, smoothing
        self.optimizer, self.schedule = optimizer, schedule or WarmupCosine(10, None, 0.0)
        self.accuracy = MulticlassAccuracy(judge.classes, average="micro")
        self.class_names: list[str] = []

    def setup(self, stage: str) -> None:
        """Look whether classes fit, and whether there are labels to learn from and to measure by."""
        self.check(facts_of(self.trainer))

    def check(self, facts: DataFacts) -> None:
        """Refuse data that the judge cannot learn from or be measured on.

        Raises:
            InputError: If it has another number of classes than the judge, or a split without labels.
        """
        self.class_names = list(facts.classes)
        if len(self.class_names) != self.judge.classes:
            raise InputError(
                f"judge.classes is {self.judge.classes} and the data has {len(self.class_names)}; make them "
                "the same"
            )
        if facts.unlabelled:
            raise InputError(
                f"split {facts.unlabelled[0]!r} has no labels, from which a judge learns; give a dataset "
                "with labels"
            )

    def training_step(self, batch: PictureBatch, batch_index: int) -> Tensor:
        """Mean cross-entropy of the labelled pictures of the global batch, 0 where there are none.

        Pictures without a label pass the judge too, so that its batch norms always see whole batches.
        """
        scores_BK = self.judge(batch.image_BCHW).float()
        total = cross_entropy(
            scores_BK, batch.label_B, ignore_index=-1, reduction="sum", label_smoothing=self.smoothing
        )
        known = gather((batch.label_B >= 0).sum(dtype=torch.float32)[None]).sum()
        loss = total * world()[1] / known.clamp(min=1)  # of which DDP takes the mean over processes
        mean = gather(loss.detach()[None]).mean()
        finite(mean, "cross-entropy", batch.key, self.global_step)
        if known:
            self.log("train/loss", mean, prog_bar=True)
        return loss

    def validation_step(self, batch: PictureBatch, batch_index: int) -> None:
        """Count right answers."""
        known_B = batch.label_B >= 0
        if known_B.any():
            keys = [key for key, is_known in zip(batch.key, known_B.tolist(), strict=True) if is_known]
            scores_BK = self.judge(batch.image_BCHW[known_B]).float()
            self.accuracy.update(finite(scores_BK, "scores", keys, self.global_step), batch.label_B[known_B])

    def report(self, split: str) -> None:
        """Log the figures of a split."""
        self.log(f"{split}/accuracy", self.accuracy.compute(), prog_bar=True, rank_zero_only=False)
        self.log(f"{split}/chance", 1 / self.judge.classes)
        self.accuracy.reset()

    def configure_optimizers(self) -> Any:
        """The optimizer and its schedule."""
        optimizer = self.optimizer(self.judge.parameters())
        return scheduled(self.trainer, optimizer, self.schedule)

    def exports(self) -> Export:
        """The judge, and the names of its classes."""
        return Export(self.judge, "judge", self.image_preset, {"classes": self.class_names})
