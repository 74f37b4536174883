"""A stage whose held-out score is prescribed, so that a test knows which state of its network is the best."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadPictures
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.types import Export, PictureBatch
from tiny import NET

SANITY_SCORE = 9.0


class ScriptedStage(pl.LightningModule):
    """Moves a small image encoder with every step and logs the next score with every validation.

    Args:
        scores: `val/score` of each epoch.
        extra: Further figures to log with it, by name.
    """

    def __init__(self, scores: list[float], extra: dict[str, float] | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.scores, self.extra = scores, extra or {}
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

    def on_validation_epoch_end(self) -> None:
        self.log_dict(self.extra)
        if self.trainer.sanity_checking:
            self.log("val/score", SANITY_SCORE)
        else:
            self.states.append({name: tensor.clone() for name, tensor in self.network.state_dict().items()})
            self.log("val/score", self.scores[self.current_epoch])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.network.parameters(), lr=0.01)

    def exports(self) -> Export:
        return Export(self.network, "image-encoder", "small64", {"why": "tests"})


class Spy(pl.Callback):
    """Keeps what it saw when the last training in this process began."""

    files: frozenset[str] = frozenset()
    data: ClipDataModule | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        Spy.files = frozenset(path.name for path in Path(str(trainer.log_dir)).iterdir())
        Spy.data = trainer.datamodule  # type: ignore[attr-defined]


def fit(
    stage: pl.LightningModule, shards: Path, folder: Path, *callbacks: pl.Callback, **settings: Any
) -> pl.Trainer:
    """Train in this process on small pictures, without files of Lightning's own."""
    defaults: dict[str, Any] = {
        "max_epochs": 3,
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
    }
    defaults |= {
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
    }
    trainer = pl.Trainer(default_root_dir=folder, callbacks=list(callbacks), **(defaults | settings))
    trainer.fit(stage, ClipDataModule(str(shards), batch_size=6, workers=0, read=ReadPictures("pixels32")))
    return trainer
