from pathlib import Path

import pytest
import torch

from sound2scene.callbacks.features import features_of
from sound2scene.data.batches.reader import open_picture
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadPictures
from sound2scene.images import preset
from sound2scene.models.image_encoder import ImageEncoder
from tiny import NET
from toy_scenes import toy_pictures


@pytest.mark.costly
@torch.no_grad()
def test_features_are_those_of_evaluation_and_the_mode_stays(tmp_path: Path) -> None:
    shards = toy_pictures(tmp_path / "shards", train=70, val=8)
    split = ClipDataModule(str(shards), 8, 0, read=ReadPictures("small64")).dataset("train")
    network = ImageEncoder("resnet18", NET).train()
    found_ND = features_of(network, "small64", split, range(66))
    assert network.training
    alone_1D = network.eval()(preset("small64")(open_picture(split, 65))[None])
    torch.testing.assert_close(found_ND[65:], alone_1D, rtol=1e-4, atol=1e-5)
