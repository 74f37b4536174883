from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from drawing import instance_data, pair_data, tiny_gan, tiny_generator, tiny_trainer
from sound2scene import artifacts, images
from sound2scene.callbacks.scene_metrics import SceneMetrics
from sound2scene.data.shards.read import ShardDataset
from sound2scene.data.toy.scenes import scenes_of
from sound2scene.latent import seed_of_clip
from sound2scene.methods.sound2scene import FrozenGenerator
from sound2scene.metrics.scenes import scene_figures
from sound2scene.models.reader import Reader
from sound2scene.types import InputError
from tiny import NET, tiny_encoder, tiny_stage
from toy_scenes import toy_pictures

WHERE = "n{}_val_reader-resnet18_32px"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of 16 pictures of one source and 4 of two, an encoder, a generator and a reader."""
    root = tmp_path_factory.mktemp("scenes")
    toy_pictures(root / "shards", train=8, val=16)
    tiny_generator(root / "generator", tiny_encoder(root / "encoder"))
    torch.manual_seed(3)
    card = {"kind": "reader", "preset": "pixels32"}
    artifacts.save(Reader(8, 5, 32, "resnet18", NET).eval(), root / "reader", card=card)
    return root


@pytest.mark.costly
def test_figures_are_those_of_what_is_read_in_the_pictures_that_the_stage_draws(folder: Path) -> None:
    callback = SceneMetrics(str(folder / "reader"), draws=2)
    data = instance_data(folder / "shards", folder / "encoder", folder / "features")
    (found,) = tiny_trainer(folder, callbacks=[callback]).validate(tiny_gan(), data, verbose=False)
    split, stage = ShardDataset(folder / "shards", "val"), tiny_gan().eval()
    reader = artifacts.load(folder / "reader", kind="reader")
    assert isinstance(reader, Reader)
    batch = data.examples("val", range(20))
    seeds = [seed_of_clip(0, split.key(position)) for position in range(20)]
    drawn = [images.to_pixel(stage.sample(batch, seeds, draw)) for draw in range(2)]
    true = scenes_of(split, list(range(20)) * 2)
    expected = scene_figures(reader.read(torch.cat(drawn)), true)
    named = {f"val/{name}/{WHERE.format(40)}": value for name, value in expected.items()}
    assert {name: value for name, value in found.items() if "reader" in name} == pytest.approx(
        named, abs=1e-5
    )


@pytest.mark.costly
def test_pictures_of_sounds_are_compared_with_the_sound_and_those_of_z_image_with_the_picture(
    folder: Path,
) -> None:
    callback = SceneMetrics(str(folder / "reader"))
    stage = tiny_stage(drawing=FrozenGenerator(str(folder / "generator")))
    data = pair_data(folder / "shards", folder / "encoder", folder / "features")
    (found,) = tiny_trainer(folder, callbacks=[callback]).validate(stage, data, verbose=False)
    assert f"val/kinds_right/{WHERE.format(20)}" in found
    assert f"val/kinds_right_from_z_image/{WHERE.format(20)}" in found


def test_a_stage_that_draws_nothing_is_refused(folder: Path) -> None:
    callback = SceneMetrics(str(folder / "reader"))
    with pytest.raises(InputError, match="LightningModule draws no pictures; remove SceneMetrics"):
        callback.on_validation_start(tiny_trainer(folder), pl.LightningModule())


def test_a_judge_is_no_reader(folder: Path) -> None:
    with pytest.raises(InputError, match="generator"):
        SceneMetrics(str(folder / "generator"))
