from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from sound2scene.data.augment import PixelCrop
from sound2scene.data.module import ClipDataModule
from sound2scene.models.judge import Judge
from sound2scene.optimization import WarmupCosine
from sound2scene.stages.judge import JudgeStage
from sound2scene.types import DivergedError, InputError
from tiny import CLASSES, NET, tiny_dataset


def stage(classes: int = 3) -> JudgeStage:
    torch.manual_seed(0)
    fast = partial(torch.optim.Adam, lr=1e-2)
    return JudgeStage(Judge(classes, 32, "resnet18", NET), "pixels32", fast, WarmupCosine(2, None, 0.0))


def data(shards: Path) -> ClipDataModule:
    settings: dict[str, Any] = {"read": ["image"], "image_preset": "pixels32", "image_augment": PixelCrop(32)}
    return ClipDataModule(str(shards), 12, 0, **settings)


def trainer(folder: Path, **settings: Any) -> pl.Trainer:
    defaults: dict[str, Any] = {"max_epochs": 1, "accelerator": "cpu", "logger": False, "enable_checkpointing": False}
    defaults |= {"enable_progress_bar": False, "enable_model_summary": False, "use_distributed_sampler": False}
    return pl.Trainer(default_root_dir=folder, **(defaults | settings))


def test_a_judge_learns_the_classes_of_held_out_pictures(tmp_path: Path) -> None:
    shards = tiny_dataset(tmp_path / "shards", train=24, val=24)
    one = stage()
    run = trainer(tmp_path, max_epochs=30)
    (before,) = run.validate(one, data(shards), verbose=False)
    run.fit(one, data(shards))
    (after,) = run.validate(one, data(shards), verbose=False)
    (tested,) = run.test(one, data(shards), verbose=False)
    assert before["val/accuracy"] < 0.7
    assert after["val/accuracy"] > 0.95
    assert after["val/chance"] == pytest.approx(1 / 3)
    assert tested["test/accuracy"] > 0.95
    network, kind, preset, notes = one.exports()
    assert (network, kind, preset, notes) == (one.judge, "judge", "pixels32", {"classes": list(CLASSES)})


def test_another_number_of_classes_is_refused(tiny_shards: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"judge.classes is 4 and the data has 3"):
        trainer(tmp_path).fit(stage(4), data(tiny_shards))


def test_a_nan_stops_the_run_with_step_and_clips(tiny_shards: Path, tmp_path: Path) -> None:
    one = stage()
    with torch.no_grad():
        one.judge.classifier.weight.fill_(torch.nan)
    with pytest.raises(DivergedError, match=r"^step 0: cross-entropy is nan for clips train-"):
        trainer(tmp_path, limit_val_batches=0).fit(one, data(tiny_shards))
