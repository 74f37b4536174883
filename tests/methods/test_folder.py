from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from looked_up import silence
from sound2scene.methods.folder import PictureFolder
from sound2scene.protocols import Lacking, Loading, Method
from sound2scene.types import InputError

KEYS = ["a", "b", "c-1", "c", "d"]


def write(path: Path, grey: int, size: tuple[int, int] = (8, 8)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (grey, grey, grey)).save(path)
    return path


def greys(method: PictureFolder, key: str, draws: int) -> list[int]:
    drawn = method.pictures(silence(1), [key], draws, 0)
    assert (drawn.shape, drawn.dtype) == ((1, draws, 3, 8, 8), torch.uint8)
    return [int(one) for one in drawn[0, :, 0, 4, 4]]


def test_one_picture_a_clip_is_shown_as_all_draws(tmp_path: Path) -> None:
    for number, key in enumerate(KEYS):
        write(tmp_path / f"{key}.png", 10 * number)
    method = PictureFolder(tmp_path, KEYS, 8)
    assert isinstance(method, Method)
    assert isinstance(method, Loading)
    assert isinstance(method, Lacking)
    assert method.deterministic
    assert method.check(KEYS) == ([], [], [])
    assert [greys(method, key, 2) for key in KEYS] == [[10 * number] * 2 for number in range(5)]
    assert method.pictures(silence(0), [], 2, 0).shape == (0, 2, 3, 8, 8)


def test_draws_come_by_number_and_those_of_a_folder_by_name(tmp_path: Path) -> None:
    for grey, name in enumerate(("a-2", "a-10", "a-0"), 1):
        write(tmp_path / f"{name}.png", 10 * grey)
    for grey, name in enumerate(("y.webp", "x.PNG", "z.bmp"), 1):
        write(tmp_path / "b" / name, 40 * grey)
    (tmp_path / "b" / "notes.txt").write_text("no picture")
    (tmp_path / "b" / "._x.png").write_text("left by a system")
    write(tmp_path / "c-1.png", 7)
    write(tmp_path / "c-1-0.png", 8)
    write(tmp_path / "c-0.png", 9)
    method = PictureFolder(tmp_path, KEYS, 8)
    assert not method.deterministic
    assert greys(method, "a", 3) == [30, 10, 20]
    assert greys(method, "b", 3) == pytest.approx([80, 40, 120], abs=2)
    assert greys(method, "c-1", 2) == [7, 8]  # a clip of that very name goes before draw 1 of `c`
    assert greys(method, "c", 1) == [9]
    assert [(one.key, one.reason) for one in method.missing(["a", "c", "d"], 2)] == [
        ("c", f"{tmp_path}: has 1 pictures of c, not 2"),
        ("d", f"{tmp_path}: has 0 pictures of d, not 2"),
    ]
    assert method.missing(["a"], 4)[0].reason.endswith("has 3 pictures of a, not 4")


def test_missing_extra_and_broken_pictures_are_named_at_once_and_the_rest_is_shown(tmp_path: Path) -> None:
    for key in ("a", "c", "d"):
        write(tmp_path / f"{key}.png", 50)
    write(tmp_path / "other.png", 50)
    (tmp_path / "logs").mkdir()
    data = (tmp_path / "c.png").read_bytes()
    (tmp_path / "c.png").write_bytes(data[: len(data) // 2])
    method = PictureFolder(tmp_path, KEYS, 8)
    missing, extra, broken = method.check(["a", "b", "c", "d"])
    assert (missing, extra) == (["b"], ["logs/", "other.png"])
    ((key, reason, _),) = broken
    assert key == "c"
    assert reason.startswith(f"{tmp_path / 'c.png'}: not a")
    assert [one.key for one in method.missing(KEYS, 3)] == ["b", "c-1", "c"]
    assert greys(method, "a", 1) == [50]
    for key in ("b", "c"):
        with pytest.raises(InputError, match=rf"^{key}: .*; leave the clip out$"):
            method.pictures(silence(1), [key], 1, 0)


def test_a_broken_picture_that_is_not_asked_for_costs_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a-0.png", 1)
    (tmp_path / "a-1.png").write_text("no picture")
    method = PictureFolder(tmp_path, KEYS, 8)
    assert method.missing(["a"], 1) == []
    assert [one.key for one in method.missing(["a"], 2)] == ["a"]
    assert [one.key for one in method.check(["a"]).broken] == ["a"]


def test_a_picture_of_another_size_is_its_centred_square_resized(tmp_path: Path) -> None:
    pixels_HWC = np.zeros((16, 48, 3), np.uint8)
    pixels_HWC[:, 16:32] = 200
    Image.fromarray(pixels_HWC).save(tmp_path / "a.png")
    drawn = PictureFolder(tmp_path, KEYS, 8).pictures(silence(1), ["a"], 1, 0)
    assert torch.equal(drawn, torch.full((1, 1, 3, 8, 8), 200, dtype=torch.uint8))


def test_a_folder_of_another_split_is_refused_and_a_part_of_this_one_is_not(tmp_path: Path) -> None:
    keys = [f"test-{number}" for number in range(100)]
    for number in range(95):
        write(tmp_path / "foreign" / f"train-{number}.png", 1)
    told = (
        r"foreign: has pictures of 0 of the 100 clips, and 95 names of no clip \(train-0\.png, train-1\.png"
    )
    with pytest.raises(InputError, match=told):
        PictureFolder(tmp_path / "foreign", keys, 8)
    for number in range(9):
        write(tmp_path / "foreign" / f"test-{number}.png", 1)
    with pytest.raises(InputError, match=r"has pictures of 9 of the 100 clips"):
        PictureFolder(tmp_path / "foreign", keys, 8)
    write(tmp_path / "foreign" / "test-9.png", 1)
    PictureFolder(tmp_path / "foreign", keys, 8)  # a tenth of the split, among others
    write(tmp_path / "few" / "test-3.png", 1)
    PictureFolder(tmp_path / "few", keys, 8)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: not a folder; check the path$"):
        PictureFolder(tmp_path / "nowhere", KEYS, 8)
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(InputError, match=r": no picture in it \(\.jpg, .*\); check the path$"):
        PictureFolder(tmp_path, KEYS, 8)


def test_the_fingerprint_changes_with_any_picture_and_with_nothing_else(tmp_path: Path) -> None:
    write(tmp_path / "a.png", 1)
    write(tmp_path / "b.png", 2)
    first = PictureFolder(tmp_path, KEYS, 8).fingerprints
    write(tmp_path / "other.png", 3)
    assert PictureFolder(tmp_path, KEYS[::-1], 8).fingerprints == first
    write(tmp_path / "b.png", 3)
    assert PictureFolder(tmp_path, KEYS, 8).fingerprints != first
