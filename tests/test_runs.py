"""What every recipe owes, shown on the smallest stage: killed it goes on, and two processes are one."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from killed_run import run, run_killed_and_on, run_on_two, weights
from tiny import NET, tiny_dataset


def part(name: str, **arguments: Any) -> dict[str, Any]:
    """An object of a recipe."""
    return {"class_path": f"sound2scene.{name}", "init_args": arguments}


def judge_recipe(folder: Path, shards: Path, **data: Any) -> Path:
    """A recipe of a judge, to lie on top of `experiments/trainer.yaml`; its runs go into the same folder."""
    # Group norm: batch norm over half a batch is another function than over the whole.
    backbone = NET | {"norm_layer": "groupnorm1"}
    judge = part("models.judge.Judge", classes=3, side=32, backbone="resnet18", backbone_options=backbone)
    sgd = {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.1, "momentum": 0.9}}
    read = part(
        "data.reading.ReadPictures", preset="pixels32", augment=part("data.augment.PixelCrop", side=32)
    )
    recipe = {
        "run": {"name": "judge/tiny", "folder": str(folder / "runs"), "checkpoint_steps": 4},
        "trainer": {"max_epochs": 3, "accelerator": "cpu", "devices": 1, "enable_progress_bar": False},
        "model": part("stages.judge.JudgeStage", judge=judge, image_preset="pixels32", optimizer=sgd),
        "data": part("data.clips.ClipDataModule", shards=str(shards), workers=0, read=read, **data),
    }
    folder.mkdir()
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of 27 clips to train on: six whole batches of four, and three left over."""
    return tiny_dataset(tmp_path_factory.mktemp("runs") / "shards", train=27)


@pytest.mark.costly
def test_killed_in_training_and_going_on_equals_never_stopped_bitwise(shards: Path, tmp_path: Path) -> None:
    run(judge_recipe(tmp_path / "whole", shards, batch_size=4))
    broken = judge_recipe(tmp_path / "broken", shards, batch_size=4)
    saved = broken.parent / "runs/judge/tiny/version_0/checkpoints/last.ckpt"
    run_killed_and_on(broken, saved, batches=9)
    expected, found = weights(tmp_path / "whole", "last"), weights(tmp_path / "broken", "last")
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.costly
def test_two_processes_take_the_steps_of_the_whole_batch(shards: Path, tmp_path: Path) -> None:
    one = judge_recipe(tmp_path / "one", shards, batch_size=8)
    two = judge_recipe(tmp_path / "two", shards, batch_size=4)
    run(one)
    run_on_two(two)
    expected, found = weights(one.parent, "last"), weights(two.parent, "last")
    assert expected.keys() == found.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=1e-3, atol=1e-5)
