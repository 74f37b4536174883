from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from drawing import tiny_trainer
from sound2scene import artifacts
from sound2scene.callbacks.features import features_of
from sound2scene.callbacks.whitening import FitWhitening
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
    shards = toy_pictures(tmp_path_factory.mktemp("whitening") / "shards", train=24, val=8)
    return ClipDataModule(str(shards), 8, 0, read=ReadCrops("small64", MultiCrop([32], [2], [(0.5, 1.0)])))


def stage(whitening: int | None) -> EncoderStage:
    torch.manual_seed(0)
    return EncoderStage(ImageEncoder("resnet18", NET, whitening=whitening), "small64")


@pytest.mark.costly
def test_what_is_exported_is_whitened_by_the_training_pictures_of_that_moment(
    data: ClipDataModule, tmp_path: Path
) -> None:
    module = stage(4)
    trainer = tiny_trainer(tmp_path, callbacks=[FitWhitening(20)], max_epochs=1)
    trainer.fit(module, data)
    folder = artifacts.save(module.exports().network, tmp_path / "artifact", card={"kind": "image-encoder"})
    network, split = artifacts.load(folder), data.dataset("train")
    whitened_NK = features_of(network, "small64", split, range(20)).double()
    assert whitened_NK.mean(0).abs().max() < 1e-4 * whitened_NK.abs().max()
    covariance_KK = torch.cov(whitened_NK.T)
    off_KK = covariance_KK - covariance_KK.diag().diag()
    assert off_KK.abs().max() < 1e-3 * covariance_KK.diag().max()


def test_a_whitening_that_nothing_fits_is_refused(data: ClipDataModule, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing fits it; add the callback .*FitWhitening"):
        tiny_trainer(tmp_path).validate(stage(4), data, verbose=False)


@pytest.mark.parametrize("module", [stage(None), pl.LightningModule()])
def test_a_stage_without_a_whitening_is_refused(module: pl.LightningModule, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"FitWhitening has nothing to fit; set .*whitening, or remove it"):
        FitWhitening().on_validation_start(tiny_trainer(tmp_path), module)
