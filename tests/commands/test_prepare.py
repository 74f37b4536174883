import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from sound2scene import artifacts, cli
from sound2scene.commands import prepare as commands
from sound2scene.commands.parser import arguments_of
from sound2scene.data import prepare, settings
from sound2scene.data.selection.file import Selection
from sound2scene.data.shards.read import ShardDataset
from sound2scene.data.toy.world import clip_counts
from tiny import tiny_localizer


def test_prepare_folder_prints_its_clips_and_the_rejected_ones(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for sub in ("images", "audios"):
        (tmp_path / "pairs" / sub).mkdir(parents=True)
    for number in range(4):
        Image.new("RGB", (16, 16), (number * 50, 0, 0)).save(tmp_path / f"pairs/images/{number}.jpg")
        soundfile.write(tmp_path / f"pairs/audios/{number}.wav", np.full(1600, 0.1), 16_000)
    (tmp_path / "pairs/audios/3.wav").write_text("this is a text")
    given = ["prepare", "folder", str(tmp_path / "pairs"), "-o", str(tmp_path / "shards"), "--val-share", "0"]
    assert cli.main(given) == 0
    assert "train 3 clips (1 rejected: 1 unreadable)" in capsys.readouterr().out
    assert cli.main(["verify", str(tmp_path / "shards")]) == 0
    (tmp_path / "shards/train/000000.tar").unlink()
    assert cli.main(["verify", str(tmp_path / "shards")]) == 1


@pytest.mark.costly
def test_prepare_toy_lets_the_localizer_choose_the_moments(tmp_path: Path) -> None:
    localizer = artifacts.save(
        tiny_localizer().eval(), tmp_path / "localizer", card={"kind": "localizer", "preset": "log_mel"}
    )
    sizes = ["--train", "3", "--val", "2", "--test", "1", "--mixed", "0", "--workers", "1"]
    shards = tmp_path / "toy" / "shards"
    given = ["-o", str(shards), "--videos", str(tmp_path / "videos"), "--frame", "localizer"]
    assert cli.main(["prepare", "toy", *given, "--localizer", str(localizer), *sizes]) == 0
    chosen = Selection.load(f"{shards}-selection.json").videos
    found = ShardDataset(shards, "train")
    moments = [chosen[f"train/{found.key(number)}"].moments_s[0] for number in range(3)]
    assert [found[number].moment_s for number in range(3)] == moments
    assert len(chosen) == 6
    assert found.folder.card["notes"]["scorer"]["name"].endswith("Localizer")


LIBRARY = [
    (commands.videos, prepare.prepare_videos),
    (commands.vggsound, prepare.prepare_vggsound),
    (commands.vegas, prepare.prepare_vegas),
    (commands.folder, prepare.prepare_folder),
    (commands.manifest, prepare.prepare_manifest),
    (commands.toy, prepare.prepare_toy),
]


@pytest.mark.parametrize(("command", "function"), LIBRARY)
def test_command_and_library_have_the_same_defaults(
    command: Callable[..., Any], function: Callable[..., Any]
) -> None:
    ours = {one.name: one.default for one in arguments_of(command)}
    theirs = {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}
    own = {"clips", "classes", "draw_seed", "moments", "selection", "source", "team"}
    assert (set(theirs) - set(ours)) <= own
    absent = inspect.Parameter.empty
    differing = {
        name: (ours[name], theirs[name])
        for name in ours.keys() & theirs.keys()
        # A flag is off where it is not given: `--five` asks for what the library takes by itself.
        if name != "five" and absent not in (ours[name], theirs[name]) and ours[name] != theirs[name]
    }
    assert differing == {}


def test_the_usual_toy_world_is_that_of_the_library() -> None:
    sizes = inspect.signature(commands.toy).parameters
    assert {split: sizes[split].default for split in ("train", "val", "test")} == clip_counts(
        settings.TOY_TRAIN_CLIPS
    )
    assert sizes["mixed"].default == settings.TOY_MIXED


def test_a_moment_is_chosen_the_same_way_by_default() -> None:
    for command in (commands.videos, commands.vggsound, commands.vegas):
        usual = {one.name: one.default for one in arguments_of(command)}
        for name in ("selection", "frame", "side_px"):
            assert usual[name] == getattr(settings.MIDDLE, name)


def test_a_dataset_of_no_clips_is_status_1_and_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").write_bytes(b"no video")
    given = ["prepare", "videos", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--workers", "1"]
    assert cli.main(given) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == (
        f"sound2scene: no clip could be used; {tmp_path / 'out' / 'report.json'} says what was left out"
    )


@pytest.mark.parametrize("word", [["videos", "in"], ["vegas", "--videos", "in"], ["folder", "in"]])
def test_shares_that_leave_nothing_to_train_on_are_refused(
    word: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shares = ["--val-share", "0.5", "--test-share", "0.5"]
    assert cli.main(["prepare", *word, "-o", str(tmp_path / "out"), *shares]) == 2
    assert "prepare.val_share_and_test_share is 1.0; set it to" in capsys.readouterr().err


def test_a_toy_world_of_no_clips_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    none = [word for split in ("train", "val", "test", "mixed") for word in (f"--{split}", "0")]
    folders = ["-o", str(tmp_path / "out"), "--videos", str(tmp_path / "videos")]
    assert cli.main(["prepare", "toy", *folders, *none]) == 2
    assert "a toy world of no clips; give at least one clip" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
