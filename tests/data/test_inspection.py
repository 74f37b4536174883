from pathlib import Path

import numpy as np
import pytest

import drawn_copies
from clips import clip
from sound2scene.data import inspection
from sound2scene.data.hygiene import Hygiene
from sound2scene.data.inspection import inspect, video_of
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.types import InputError


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("copies") / "shards"
    return str(write_dataset(folder, drawn_copies.jobs(), drawn_copies.draw, Plan("copies", workers=1)))


@pytest.fixture(scope="module")
def found(shards: str) -> Hygiene:
    return inspect(shards)


def partners(found: Hygiene) -> dict[tuple[str, str], str | None]:
    return {(one.key, one.kind): one.partner for one in found.findings}


def test_copies_of_training_clips_and_silence_are_found_and_nothing_else(found: Hygiene) -> None:
    assert partners(found) == {
        ("aaaaaaaaaaa_50000_60000", "same_video"): "train/aaaaaaaaaaa_10000_20000",
        ("sound-copy", "same_sound"): "train/plain-2",
        ("picture-copy", "same_picture"): "train/plain-3",
        ("nothing-heard", "silent"): None,
        ("both-copies", "same_sound"): "train/plain-3",
        ("both-copies", "same_picture"): "train/plain-3",
    }
    assert found.clips == {"test": 7, "train": 3}
    assert found.settings["silent_db"] == -60.0
    assert found.not_looked_for == {"still": inspection.MOVES_UNKNOWN}


def test_of_copies_inside_a_split_the_first_one_stays(shards: str) -> None:
    assert partners(inspect(shards, "test", ["test"])) == {
        ("new-again", "same_sound"): "test/new",
        ("nothing-heard", "silent"): None,
        ("both-copies", "same_picture"): "test/picture-copy",
    }


@pytest.mark.costly
def test_blocks_and_processes_change_nothing(
    shards: str, found: Hygiene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "BLOCK", 2)
    assert inspect(shards) == found
    monkeypatch.undo()
    assert inspect(shards, workers=2) == found


def test_the_most_alike_partner_is_told(shards: str, found: Hygiene) -> None:
    both = inspect(shards, "test", ["test", "train"])
    shares = {(one.key, one.kind): one.figure for one in both.findings}
    assert partners(both)["both-copies", "same_picture"] == "test/picture-copy"  # the same copy, bit by bit
    assert shares["both-copies", "same_picture"] == 0.0
    assert {place: one for place, one in partners(both).items() if place[1] == "same_video"} == {
        place: one for place, one in partners(found).items() if place[1] == "same_video"
    }


def test_a_level_says_what_is_silent(shards: str) -> None:
    loud = inspect(shards, silent_db=0)
    assert sum(one.kind == "silent" for one in loud.findings) == 7


def test_still_videos_are_found_and_those_that_are_not_there_counted(shards: str, tmp_path: Path) -> None:
    seconds = [number / 10 for number in range(30)]
    grey_HWC = np.full((64, 64, 3), 90, np.uint8)
    clip(tmp_path / "new.mp4", seconds, picture=grey_HWC)
    clip(tmp_path / "aaaaaaaaaaa_000050.mp4", seconds)  # VGGSound's other spelling of the key
    (tmp_path / "sound-copy.mp4").write_bytes(b"nothing")
    found = inspect(shards, videos=tmp_path)
    assert [one.key for one in found.findings if one.kind == "still"] == ["new"]
    told = f"4 clips have no video in {tmp_path}, 1 videos cannot be decoded"
    assert found.not_looked_for == {"still": told}


def test_a_split_that_is_not_there_is_named(shards: str) -> None:
    with pytest.raises(InputError, match="no split 'val'"):
        inspect(shards, "test", ["val"])


def test_ids_of_videos_come_from_names_in_any_spelling() -> None:
    assert video_of("aaaaaaaaaaa_10000_20000") == video_of("aaaaaaaaaaa_000030") == "aaaaaaaaaaa"
    assert video_of("toy-test-000001") is None
