from pathlib import Path

import pytest

from sound2scene.data.hygiene import Finding, Hygiene, read_hygiene
from sound2scene.types import InputError

FINDINGS = [
    Finding("a", "same_sound", "train/x", 0.05),
    Finding("a", "same_picture", "train/y", 0.0),
    Finding("b", "silent", None, -71.2),
]
FOUND = Hygiene("toy", "test", {"test": "1", "train": "2"}, {"test": 9, "train": 50}, findings=FINDINGS)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    FOUND.save(tmp_path / "hygiene.json")
    assert read_hygiene(tmp_path / "hygiene.json") == FOUND


def test_nothing_found_is_a_file_too(tmp_path: Path) -> None:
    Hygiene("toy", "test", {"test": "1"}, {"test": 9}).save(tmp_path / "hygiene.json")
    assert read_hygiene(tmp_path / "hygiene.json").left_out == {}


def test_clips_are_left_out_once_with_all_their_kinds() -> None:
    assert FOUND.left_out == {"a": "same_sound, same_picture", "b": "silent"}
    assert FOUND.counts() == {"same_picture": 1, "same_sound": 1, "silent": 1}


def test_another_dataset_is_refused() -> None:
    FOUND.check({"test": "1", "train": "2", "val": "3"}, "shards")
    for other in ({"test": "1", "train": "3"}, {"test": "2", "train": "2"}, {"test": "1"}):
        with pytest.raises(InputError, match=r"shards: its split \w+ is not the one"):
            FOUND.check(other, "shards")


@pytest.mark.parametrize(
    "damage",
    [("same_sound", "same_smell"), ('"format": 1', '"format": 2'), ('"key": "b"', '"key": 3'), ("]", "")],
    ids=["a kind", "a format", "a key", "its end"],
)
def test_a_damaged_file_is_refused_in_one_line(damage: tuple[str, str], tmp_path: Path) -> None:
    FOUND.save(tmp_path / "hygiene.json")
    (tmp_path / "hygiene.json").write_text((tmp_path / "hygiene.json").read_text().replace(*damage))
    with pytest.raises(InputError, match=r"hygiene\.json.*make it again by `sound2scene hygiene`"):
        read_hygiene(tmp_path / "hygiene.json")
