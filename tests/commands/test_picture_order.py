import os
from pathlib import Path

import pytest

from sound2scene.commands.picture_order import sounds_of
from sound2scene.types import InputError


def test_folders_are_searched_and_files_are_taken_whatever_they_are_called(tmp_path: Path) -> None:
    inside = ["b/2.WAV", "a/1.flac", "film.mp4", "notes.txt", "b/cover.jpg", ".hidden.wav"]
    for name in inside:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    odd = tmp_path / "odd.bin"
    found = sounds_of([odd, tmp_path / "in"])
    assert [one.path for one in found] == [odd, *(tmp_path / "in" / name for name in sorted(inside[:3]))]
    assert [one.name for one in found] == [one.path.stem for one in found]


def test_a_list_adds_a_path_a_line_in_any_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = tmp_path / "list.txt"
    listed.write_bytes(b"\xef\xbb\xbfbell.wav\r\n\n # 1.wav\n\xff.wav\n")
    found = [os.fsencode(one.path) for one in sounds_of([Path("first.wav")], listed)]
    assert found == [b"first.wav", b"bell.wav", b" # 1.wav", b"\xff.wav"]


@pytest.mark.parametrize(
    ("paths", "listed", "told"),
    [
        ([], None, r"^generate: no sounds; give files, folders, --list FILE, or --again pictures\.json$"),
        ([], "", r"list\.txt: empty; give files"),
        (["folder"], None, r"folder: no sound \(\.wav, .*\) and no video in it; check the path$"),
        ([], "folder", r"folder: no sound"),
    ],
)
def test_nothing_to_draw_is_one_line(
    paths: list[str], listed: str | None, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("folder", "a.txt").touch()
    if listed is not None:
        Path("list.txt").write_text(listed)
    with pytest.raises(InputError, match=told):
        sounds_of([Path(path) for path in paths], None if listed is None else Path("list.txt"))
    with pytest.raises(InputError, match=r"none\.txt: missing; give a text file"):
        sounds_of([], Path("none.txt"))
