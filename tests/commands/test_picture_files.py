import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sound2scene.commands import picture_files
from sound2scene.commands.picture_files import Heard, PictureFiles
from sound2scene.commands.picture_order import Layout
from sound2scene.figures.drawn import DrawnSound
from sound2scene.types import CLIP_SAMPLES, InputError, Rejected

SIDE = 8


def heard(name: str, grey: int = 100, draws: int = 2) -> Heard:
    """A sound whose pictures are grey, one step darker with each draw."""
    grey_J = torch.tensor([grey - draw for draw in range(draws)], dtype=torch.uint8)
    pixels_JCHW = grey_J[:, None, None, None].expand(-1, 3, SIDE, SIDE)
    return Heard(Path(f"{name}.wav"), "0" * 64, DrawnSound(name, torch.zeros(CLIP_SAMPLES), pixels_JCHW))


def written(folder: Path, sounds: list[Heard | Rejected], layout: Layout = "strip") -> PictureFiles:
    files = PictureFiles(folder, layout)
    files.write(sounds)
    return files


def greys(path: Path) -> list[int]:
    """The grey of each picture of a strip."""
    strip_HWC = np.asarray(Image.open(path))
    assert strip_HWC.shape[::2] == (SIDE, 3)
    return [int(part.mean().round()) for part in np.split(strip_HWC, strip_HWC.shape[1] // SIDE, axis=1)]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_each_layout_writes_its_files_and_the_record_names_them(tmp_path: Path) -> None:
    for layout, each, page in (
        ("files", ["a_00.png", "a_01.png", "a_10.png"], None),
        ("strip", ["a.png"], "grid.png"),
        ("grid", [], "grid.png"),
    ):
        files = written(tmp_path / layout, [heard("a", draws=11)], layout)
        (sound,) = files.sounds
        assert (sound["name"], sound["file"], sound["page"]) == ("a", "a.wav", page)
        assert set(each) <= set(sound["pictures"])
        assert names(tmp_path / layout) == set(sound["pictures"]) | ({page} if page else set())
    assert greys(tmp_path / "files" / "a_10.png") == [90]
    assert greys(tmp_path / "strip" / "a.png") == list(range(100, 89, -1))


def test_sounds_of_one_name_are_numbered_and_no_sound_takes_the_name_of_a_page(tmp_path: Path) -> None:
    sounds = [heard("a", 50), heard("A", 60), heard("a", 70), heard("grid", 80), heard("Grid-2", 90)]
    files = written(tmp_path, [*sounds])
    each = ["a.png", "A-2.png", "a-3.png", "sound-grid.png", "sound-Grid-2.png"]
    assert [sound["pictures"] for sound in files.sounds] == [[name] for name in each]
    assert names(tmp_path) == {*each, "grid.png"}
    assert [greys(tmp_path / name)[0] for name in each] == [50, 60, 70, 80, 90]


def test_a_picture_of_one_sound_never_takes_the_name_of_anothers(tmp_path: Path) -> None:
    files = written(tmp_path, [heard("a"), heard("a_0"), heard("a")], "files")
    found = [name for sound in files.sounds for name in sound["pictures"]]
    assert len(set(found)) == len(found) == len(names(tmp_path)) == 6


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/out/a\.png: cannot be written .*; choose another folder"):
        written(tmp_path / "file" / "out", [heard("a")])


def test_a_picture_that_fails_half_way_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, [heard("a")])
    before = (tmp_path / "a.png").read_bytes()

    def fails(self: Image.Image, path: Path, format: str) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fails)
    with pytest.raises(InputError, match="disk full"):
        written(tmp_path, [heard("a")])
    assert (tmp_path / "a.png").read_bytes() == before
    assert names(tmp_path) == {"a.png", "grid.png"}


def test_nothing_readable_writes_nothing(tmp_path: Path) -> None:
    files = PictureFiles(tmp_path / "out", "strip")
    lost = Rejected("none.wav", "none.wav: missing")
    assert (files.write([lost]), files.sounds, files.pages) == ([lost], [], [])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("count", "pages"), [(1, 1), (2, 1), (3, 2), (5, 3)])
def test_every_sound_stands_on_a_page(
    count: int, pages: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_files, "GRID_ROWS", 2)
    files = written(tmp_path, [heard(f"s{number}") for number in range(count)], "grid")
    assert files.pages == ["grid.png", "grid-2.png", "grid-3.png"][:pages]
    assert names(tmp_path) == set(files.pages)
    assert [sound["page"] for sound in files.sounds] == [files.pages[row // 2] for row in range(count)]


def test_names_in_any_bytes_and_of_any_length_are_drawn(tmp_path: Path) -> None:
    raw = [b"\xff\x80", "犬$_^{}\\".encode(), b"x" * 251, b"y" * 250 + b"1", b"x" * 251]
    files = written(tmp_path, [heard(os.fsdecode(name)) for name in raw])
    assert len(files.sounds) == 5
    found = {os.fsencode(path.name) for path in tmp_path.iterdir()}
    cut = [b"x" * picture_files.NAME_BYTES + end for end in (b".png", b"-2.png")]
    assert found >= {b"grid.png", b"\xff\x80.png", "犬$_^{}\\.png".encode(), *cut}


def test_the_grid_shows_the_first_draws_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    widths = []
    for shown in (1, 3):
        monkeypatch.setattr(picture_files, "GRID_DRAWS", shown)
        written(tmp_path, [heard("a", draws=3)])
        with Image.open(tmp_path / "grid.png") as grid:
            widths.append(grid.width)
    assert widths[0] < widths[1]
