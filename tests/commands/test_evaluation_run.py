from pathlib import Path

import pytest

from evaluating import CLIPS, Trial, made_trial
from sound2scene.commands.evaluation_run import Wanted, evaluate
from sound2scene.data.shards.read import ShardDataset
from sound2scene.evaluation.protocol import read
from sound2scene.types import InputError


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return made_trial(tmp_path_factory.mktemp("trial"), reference="train", kid_subset=0, draws=1)


def wanted(trial: Trial, cache: Path, *words: str, **left_out: str) -> Wanted:
    keys = {key.replace("_", "-"): reason for key, reason in left_out.items()}
    protocol = read(str(trial.protocol))
    return Wanted(words, str(trial.shards), protocol, str(trial.encoder), keys, cache, shown=4, workers=0)


@pytest.mark.costly
def test_clips_that_are_left_out_are_drawn_by_nobody(trial: Trial, tmp_path: Path) -> None:
    found = evaluate(
        wanted(trial, tmp_path, "class_mean", test_000="silent", test_007="still"), accelerator="cpu"
    )
    assert found is not None
    split = ShardDataset(trial.shards, "test")
    assert {split.key(one) for one in range(CLIPS)} - {split.key(one) for one in found.positions} == {
        "test-000",
        "test-007",
    }
    assert [one.there for one in found.methods] == [CLIPS - 2] * 2


@pytest.mark.costly
def test_sets_are_compared_with_the_training_pictures_where_the_protocol_says_so(
    trial: Trial, tmp_path: Path
) -> None:
    found = evaluate(wanted(trial, tmp_path, "class_mean"), accelerator="cpu")
    assert found is not None
    real = {figure.name: figure for figure in found.methods[-1].figures}
    assert real["FID"].network.endswith("18 real train")
    assert real["FID"].value > 1e-6  # the held-out pictures are others


@pytest.mark.costly
def test_shown_clips_are_of_every_class_in_turn(trial: Trial, tmp_path: Path) -> None:
    found = evaluate(wanted(trial, tmp_path, "class_mean"), accelerator="cpu")
    assert found is not None
    shown = sorted(found.methods[0].pictures)
    assert len(shown) == 4
    assert {int(found.split.label_N[one]) for one in shown[:3]} == {0, 1, 2}


@pytest.mark.costly
def test_pictures_of_a_folder_are_scored_and_the_missing_named(trial: Trial, tmp_path: Path) -> None:
    from PIL import Image

    split, folder = ShardDataset(trial.shards, "test"), tmp_path / "theirs"
    folder.mkdir()
    for position in range(1, CLIPS):
        colour = tuple(200 if channel == int(split.label_N[position]) else 20 for channel in range(3))
        Image.new("RGB", (48, 48), colour).save(folder / f"{split.key(position)}.png")
    (folder / f"{split.key(5)}.png").write_bytes(b"no picture")
    (folder / "holiday.png").write_bytes((folder / f"{split.key(6)}.png").read_bytes())
    found = evaluate(wanted(trial, tmp_path / "cache", f"theirs=folder:path={folder}"), accelerator="cpu")
    assert found is not None
    theirs = found.methods[0]
    assert [one.key for one in theirs.absent] == [split.key(0), split.key(5)]
    assert theirs.there == CLIPS - 2


def test_one_clip_is_too_few(trial: Trial, tmp_path: Path) -> None:
    split = ShardDataset(trial.shards, "test")
    left_out = {split.key(position).replace("-", "_"): "silent" for position in range(1, CLIPS)}
    with pytest.raises(InputError, match="1 clips are left of the split test; figures need 2 or more"):
        evaluate(wanted(trial, tmp_path, "class_mean", **left_out), accelerator="cpu")


def test_devices_that_are_not_there_are_one_line(trial: Trial, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"choose what is there|take fewer"):
        evaluate(wanted(trial, tmp_path, "class_mean"), accelerator="cpu", devices=4096)
