from pathlib import Path

import pytest

from sound2scene.folders import is_leftover, listed, walked
from sound2scene.types import InputError

LEFTOVERS = ("._1.jpg", ".DS_Store", ".ipynb_checkpoints", "__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir")


@pytest.mark.parametrize("name", LEFTOVERS)
def test_what_systems_leave_behind_is_neither_listed_nor_walked(name: str, tmp_path: Path) -> None:
    for parent in (tmp_path / "class", tmp_path / "class" / name):
        parent.mkdir()
        (parent / "1.jpg").touch()
    assert [path.relative_to(tmp_path).as_posix() for path in walked(tmp_path)] == ["class/1.jpg"]
    assert [entry.name for entry in listed(tmp_path / "class")] == ["1.jpg"]
    assert is_leftover(name)
    assert is_leftover(name.upper())


def test_a_folder_that_is_linked_twice_is_walked_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").touch()
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert [path.name for path in walked(tmp_path)] == ["1.jpg"]


def test_no_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in ("file", "nowhere"):
        with pytest.raises(InputError, match=f"{place}: not a folder"):
            list(walked(tmp_path / place))
        with pytest.raises(InputError, match=f"{place}: cannot be read"):
            listed(tmp_path / place)
