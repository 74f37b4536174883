from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from drawing import tiny_trainer
from scripted import ScriptedStage
from sound2scene.callbacks.split_metrics import SplitMetrics
from sound2scene.data.clips import ClipDataModule
from tiny import tiny_features


class Listening(SplitMetrics):
    def __init__(self) -> None:
        self.told: list[str] = []

    def begin(self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: str) -> None:
        self.told.append(f"begin {split}")

    def add(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, split: str) -> None:
        self.told.append(f"{split} {len(batch.key)}")

    def finish(self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: str) -> None:
        self.told.append(f"log {split}")


def test_each_batch_of_a_split_is_measured_between_its_begin_and_its_log_but_for_sanity_checks(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    listening = Listening()
    data = ClipDataModule(str(tiny_shards), 6, 0, features=tiny_features(tiny_image_encoder, tmp_path / "z"))
    run = tiny_trainer(tmp_path, callbacks=[listening], num_sanity_val_steps=1, limit_train_batches=1)
    run.fit(ScriptedStage([0.5]), data)
    once = ["begin val", "val 6", "val 3", "log val"]
    assert listening.told == once
    run.test(ScriptedStage([0.5]), data, verbose=False)
    assert listening.told == [*once, *(word.replace("val", "test") for word in once)]
