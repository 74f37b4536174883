"""A stage whose held-out score is prescribed, so that a test knows which state of its network is the best."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from sound2scene.data.clips import ClipDataModule, SplitDataModule, clips_of
from sound2scene.data.reading import ReadPictures
from sound2scene.lightning import data_of
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.types import Export, PictureBatch
from tiny import NET

SANITY_SCORE = 9.0


class ScriptedStage(pl.LightningModule):
    """Moves a small image encoder with every step and logs the next score with every validation.

    Args:
        scores: `val/score` of each epoch.
        extra: Further figures to log with it, by name.
        second: `val/second` of each epoch; None logs none.
    """

    def __init__(
        self, scores: list[float], extra: dict[str, float] | None = None, second: list[float] | None = None
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.scores, self.extra, self.second = scores, extra or {}, second
        self.network = ImageEncoder("resnet18", NET)
        self.states: list[dict[str, Tensor]] = []

    def training_step(self, batch: PictureBatch, batch_index: int) -> Tensor:
        loss = self.network(
            torch.ones(len(batch.key), 3, 32, 32) * torch.arange(len(batch.key))[:, None, None, None]
        )
        self.log("train/loss", loss.mean())
        return loss.mean()

    def validation_step(self, batch: PictureBatch, batch_index: int) -> None:
        """Only the end of the epoch matters."""

    test_step = validation_step

    def on_validation_epoch_end(self) -> None:
        self.log_dict(self.extra)
        if self.trainer.sanity_checking:
            self.log("val/score", SANITY_SCORE)
        else:
            self.states.append({name: tensor.clone() for name, tensor in self.network.state_dict().items()})
            self.log("val/score", self.scores[self.current_epoch])
            if self.second is not None:
                self.log("val/second", self.second[self.current_epoch])

    def on_test_epoch_end(self) -> None:
        """Tell which state it is."""
        self.log("test/mark", mark(self.network.state_dict()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.network.parameters(), lr=0.01)

    def exports(self) -> Export:
        return Export(self.network, "image-encoder", "small64", {"why": "tests"})


def mark(state: Mapping[str, Tensor]) -> float:
    """A number by which states of the network can be told apart."""
    return float(sum(tensor.double().abs().sum() for name, tensor in sorted(state.items())))


class Spy(pl.Callback):
    """Keeps what it saw when the last training in this process began."""

    files: frozenset[str] = frozenset()
    data: SplitDataModule | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        Spy.files = frozenset(path.name for path in Path(str(trainer.log_dir)).iterdir())
        Spy.data = clips_of(data_of(trainer))


def scripted_data(shards: Path) -> ClipDataModule:
    """Small pictures in batches of six."""
    return ClipDataModule(str(shards), batch_size=6, workers=0, read=ReadPictures("pixels32"))


def scripted_trainer(folder: Path, *callbacks: pl.Callback, **settings: Any) -> pl.Trainer:
    """Three epochs on the CPU, without files of Lightning's own."""
    defaults: dict[str, Any] = {"max_epochs": 3, "accelerator": "cpu", "devices": 1, "logger": False}
    defaults |= {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    defaults |= {"use_distributed_sampler": False}
    return pl.Trainer(default_root_dir=folder, callbacks=list(callbacks), **(defaults | settings))


def fit(
    stage: pl.LightningModule, shards: Path, folder: Path, *callbacks: pl.Callback, **settings: Any
) -> pl.Trainer:
    """Train in this process."""
    trainer = scripted_trainer(folder, *callbacks, **settings)
    trainer.fit(stage, scripted_data(shards))
    return trainer
