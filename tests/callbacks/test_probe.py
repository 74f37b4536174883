from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from drawing import tiny_trainer
from sound2scene.callbacks.probe import Probe
from sound2scene.data.augment import MultiCrop
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadCrops
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.stages.encoder import EncoderStage
from sound2scene.types import InputError
from tiny import NET
from toy_scenes import toy_pictures


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ClipDataModule:
    shards = toy_pictures(tmp_path_factory.mktemp("probe") / "shards", train=48, val=32)
    read = ReadCrops("small64", MultiCrop([32], [2], [(0.5, 1.0)]))
    return ClipDataModule(str(shards), 32, 0, read=read)


@pytest.mark.costly
def test_a_probe_logs_what_features_know_of_size_and_place(data: ClipDataModule, tmp_path: Path) -> None:
    torch.manual_seed(0)
    stage = EncoderStage(ImageEncoder("resnet18", NET), "small64")
    (found,) = tiny_trainer(tmp_path, callbacks=[Probe()]).validate(stage, data, verbose=False)
    figures = {name: value for name, value in found.items() if "probe" in name}
    assert set(figures) == {f"val/probe_{place}_r2" for place in ("left_right", "height", "diameter")}
    assert all(value <= 1 for value in figures.values())


def test_a_stage_without_an_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="LightningModule has no encoder to probe; remove Probe"):
        Probe().on_validation_epoch_end(tiny_trainer(tmp_path), pl.LightningModule())
