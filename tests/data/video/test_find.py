from pathlib import Path

import pytest

from sound2scene.data.video.find import find_videos
from sound2scene.types import InputError


def test_videos_are_found_by_their_path_and_what_is_hidden_or_unfinished_is_not(tmp_path: Path) -> None:
    wanted = ["a.mp4", "dog/b.MKV", "dog/b/c.webm", "dog/x.1.avi", "z.mov", "z/y.m4v"]
    others = [".a.mp4", ".hidden/b.mp4", "c.mp4.partial", "d.mp4.part", "e.txt", "mp4"]
    for name in (*wanted, *others):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = find_videos(tmp_path)
    assert list(found) == ["a", "dog/b", "dog/b/c", "dog/x.1", "z", "z/y"]
    assert sorted(found.values()) == sorted(tmp_path / name for name in wanted)


def test_two_files_of_one_key_an_empty_folder_and_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no video"):
        find_videos(tmp_path)
    with pytest.raises(InputError, match="absent: not a folder"):
        find_videos(tmp_path / "absent")
    (tmp_path / "a.mp4").touch()
    (tmp_path / "a.webm").touch()
    with pytest.raises(InputError, match=r"a\.webm: has the name of a\.mp4"):
        find_videos(tmp_path)


def test_linked_folders_are_searched_once_and_one_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk" / "dog").mkdir(parents=True)
    (tmp_path / "disk" / "dog" / "a.mp4").touch()
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "b.mp4").touch()
    (tmp_path / "videos" / "dog").symlink_to(tmp_path / "disk" / "dog")
    (tmp_path / "videos" / "self").symlink_to(tmp_path / "videos")
    assert list(find_videos(tmp_path / "videos")) == ["b", "dog/a"]

    def refused(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("os.scandir", refused)
    with pytest.raises(InputError, match="videos: cannot be read \\(Permission denied\\)"):
        find_videos(tmp_path / "videos")
