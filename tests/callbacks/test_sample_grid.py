from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor

from drawing import instance_data, pair_data, tiny_gan, tiny_generator, tiny_trainer
from scripted import ScriptedStage, scripted_data, scripted_trainer
from sound2scene import artifacts, images
from sound2scene.callbacks import sample_grid
from sound2scene.callbacks.improvement import Best
from sound2scene.callbacks.sample_grid import SampleGrid
from sound2scene.data.shards.read import ShardDataset
from sound2scene.methods.sound2scene import FrozenGenerator, SoundToScene
from sound2scene.runs import Aim
from sound2scene.types import InputError
from tiny import tiny_stage


class Grid(NamedTuple):
    """What a grid was asked to show."""

    shown: list[int]
    drawn_BJCHW: Tensor
    sounds: bool
    about: str


@pytest.fixture
def grids(monkeypatch: pytest.MonkeyPatch) -> list[Grid]:
    """The grids that are drawn, in their order."""
    found: list[Grid] = []
    plain = sample_grid.draw_grid

    def spy(split: Any, *rest: Any) -> Figure:
        found.append(Grid(*rest))
        return plain(split, *rest)

    monkeypatch.setattr(sample_grid, "draw_grid", spy)
    return found


@pytest.mark.costly
def test_first_fakes_come_before_the_first_step_and_the_same_latents_after_each_validation(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path, grids: list[Grid]
) -> None:
    stage = tiny_gan()
    data = instance_data(tiny_shards, tiny_image_encoder, tmp_path / "features")
    logger = CSVLogger(tmp_path, "run")
    run = tiny_trainer(tmp_path, callbacks=[SampleGrid(rows=3, draws=2)], logger=logger, max_epochs=2)
    first = stage.average.module.linear.weight.detach().clone()
    run.fit(stage, data)
    names = {"step_0000000.png", "step_0000003.png", "step_0000006.png"}
    assert {path.name for path in (Path(logger.log_dir) / "samples").iterdir()} == names
    assert len(grids) == 3
    assert all(grid.shown == [0, 1, 2] for grid in grids)  # one of each class
    assert not any(grid.sounds for grid in grids)
    noise = "noise: seed 0, draws 0 to 1, truncation 1 (none)"
    states = ("step 0 (untrained), seed 0", "step 3, seed 0", "step 6, seed 0")
    assert [grid.about for grid in grids] == [f"{state}; {noise}" for state in states]
    with Image.open(Path(logger.log_dir) / "samples.gif") as animation:
        assert getattr(animation, "n_frames", 1) == 3
    begin_BJCHW, _, end_BJCHW = (grid.drawn_BJCHW for grid in grids)
    assert begin_BJCHW.shape == (3, 2, 3, 32, 32)
    assert begin_BJCHW.dtype == torch.uint8
    assert not torch.equal(begin_BJCHW, end_BJCHW)  # the generator has learned
    assert not torch.equal(begin_BJCHW[:, 0], begin_BJCHW[:, 1])  # draws have noise of their own
    assert not torch.equal(first, stage.average.module.linear.weight)
    # The last grid again, from the same clips, noise and weights.
    stage.eval()
    again_BCHW = images.to_pixel(stage.sample(data.examples("val", [0, 1, 2]), [0, 0, 0], 1))
    assert torch.equal(again_BCHW, end_BJCHW[:, 1])


@pytest.mark.costly
def test_a_picture_of_a_grid_is_the_one_that_the_command_draws_for_its_sound_at_seed_0(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path, grids: list[Grid]
) -> None:
    generator = str(tiny_generator(tmp_path / "generator", tiny_image_encoder))
    stage = tiny_stage(drawing=FrozenGenerator(generator))
    data = pair_data(tiny_shards, tiny_image_encoder, tmp_path / "features")
    run = tiny_trainer(
        tmp_path, callbacks=[SampleGrid(rows=4, draws=3)], logger=CSVLogger(tmp_path, "run"), max_epochs=1
    )
    run.fit(stage, data)
    network, kind, preset, notes = stage.exports()
    card = {"kind": kind, "preset": preset, "notes": notes}
    scene = SoundToScene(str(artifacts.save(network, tmp_path / "audio", card=card)), generator, "cpu")
    split, last = ShardDataset(tiny_shards, "val"), grids[-1]
    assert last.sounds
    waveforms = [torch.from_numpy(split.waveform(position)) for position in last.shown]
    expected_BJCHW = scene.draw(scene.encode(torch.stack(waveforms)), draws=3, seed=0)
    # Batches of other sizes may differ in the last bit of a float.
    assert (last.drawn_BJCHW.int() - expected_BJCHW.int()).abs().max() <= 1
    assert (expected_BJCHW[:, 0].int() - expected_BJCHW[:, 1].int()).abs().max() > 1


@pytest.mark.slow
def test_an_alignments_best_grid_shows_the_sounds_too(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    generator = tiny_generator(tmp_path / "generator", tiny_image_encoder)
    stage = tiny_stage(drawing=FrozenGenerator(str(generator)))
    grid, logger = SampleGrid(rows=2, draws=3), CSVLogger(tmp_path, "run")
    best = Best(Aim("val/instance/audio_to_image/recall_at_1"), [grid])
    run = tiny_trainer(tmp_path, callbacks=[grid, best], logger=logger, limit_train_batches=1)
    run.fit(stage, pair_data(tiny_shards, tiny_image_encoder, tmp_path / "features"))
    with Image.open(Path(logger.log_dir) / "generated.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.std() > 10
    # two rows of five panels: sound, real, three generated
    assert 5 * 256 < pixels.shape[1] < 6 * 256
    assert 2 * 256 < pixels.shape[0] < 3 * 256


def test_a_dry_run_writes_nothing(tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path) -> None:
    grid = SampleGrid()
    best = Best(Aim("val/never"), [grid])
    logger = CSVLogger(tmp_path, "run")
    run = tiny_trainer(tmp_path, callbacks=[grid, best], logger=logger, fast_dev_run=True)
    run.fit(tiny_gan(), instance_data(tiny_shards, tiny_image_encoder, tmp_path / "features"))
    assert not list(tmp_path.rglob("*.png"))


def test_drawing_leaves_the_stage_in_the_mode_it_was_in(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path, grids: list[Grid]
) -> None:
    stage = tiny_gan()
    data = instance_data(tiny_shards, tiny_image_encoder, tmp_path / "features")
    run = tiny_trainer(tmp_path, limit_train_batches=1, limit_val_batches=0)
    run.fit(stage, data)
    for mode in (True, False):
        stage.train(mode)
        SampleGrid(rows=2, draws=1).draw(run, stage)
        assert stage.training is mode
    assert len(grids) == 2
    assert torch.equal(grids[0].drawn_BJCHW, grids[1].drawn_BJCHW)


def test_a_stage_that_draws_nothing_is_told_which_callback_to_remove(
    tiny_shards: Path, tmp_path: Path
) -> None:
    run = scripted_trainer(tmp_path, SampleGrid())
    with pytest.raises(InputError, match=r"^ScriptedStage draws no pictures; remove SampleGrid$"):
        run.fit(ScriptedStage([0.2]), scripted_data(tiny_shards))


def test_a_run_that_is_stopped_has_its_animation_too(tmp_path: Path) -> None:
    grid, run = SampleGrid(), scripted_trainer(tmp_path)
    grid.folder = str(tmp_path)
    (tmp_path / "samples").mkdir()
    for step in range(2):
        Image.new("RGB", (8, 8), (99 * step, 0, 0)).save(tmp_path / "samples" / f"step_{step:07d}.png")
    grid.on_exception(run, ScriptedStage([0.2]), ValueError())
    assert not (tmp_path / "samples.gif").exists()
    grid.on_exception(run, ScriptedStage([0.2]), KeyboardInterrupt())
    assert (tmp_path / "samples.gif").exists()
