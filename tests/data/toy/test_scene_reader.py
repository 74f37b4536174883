from pathlib import Path

import pytest
import torch

from sound2scene.data.batches.sampler import Draw
from sound2scene.data.shards.read import ShardDataset
from sound2scene.data.toy.scene_reader import SceneReader
from sound2scene.data.toy.scenes import scenes_of
from sound2scene.images import preset
from toy_scenes import toy_pictures


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_pictures(tmp_path_factory.mktemp("scenes") / "shards")


def test_a_batch_of_scenes_belongs_to_its_pictures(shards: Path) -> None:
    split = ShardDataset(shards, "val")
    reader = SceneReader(split, preset("pixels64"))
    batch = reader.collate([reader[Draw(0, number)] for number in (2, 17)])
    assert batch.image_BCHW.shape == (2, 3, 64, 64)
    assert batch.image_BCHW.dtype == torch.uint8
    assert batch.key == [split.key(2), split.key(17)]
    for part, expected in zip(batch.scene, scenes_of(split, [2, 17]), strict=True):
        assert torch.equal(part, expected)
    assert batch.scene.present_BK.sum(1).tolist() == [1, 2]
