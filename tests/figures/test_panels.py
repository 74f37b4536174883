from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from sound2scene.data.shards.read import ShardDataset
from sound2scene.figures.panels import (
    Format,
    clip_name,
    picture_of,
    pixels_of,
    reduced,
    save,
    save_picture,
    sound_of,
    spread,
)
from sound2scene.types import InputError


@pytest.mark.parametrize(
    ("labels", "count", "expected"),
    [
        ([0, 0, 0, 1, 2, 1], 4, [0, 3, 4, 1]),
        ([2, 2, 0, 0, 1], 3, [2, 4, 0]),
        ([-1, -1, -1], 2, [0, 1]),
        ([0, 1], 8, [0, 1]),
        ([], 3, []),
    ],
    ids=["rare classes first", "classes in order", "no labels", "fewer than asked for", "none"],
)
def test_shown_clips_take_turns_through_the_classes(
    labels: list[int], count: int, expected: list[int]
) -> None:
    assert spread(torch.tensor(labels), count) == expected


def test_a_clip_is_named_by_its_class_or_its_key(tiny_shards: Path) -> None:
    shards = ShardDataset(str(tiny_shards), "val")
    assert clip_name(shards, 1) == "middle"
    shards.label_N[1] = -1
    assert clip_name(shards, 1) == shards.key(1)


def test_a_clips_picture_is_its_centred_square_and_its_sound_is_whole(tiny_shards: Path) -> None:
    shards = ShardDataset(str(tiny_shards), "val")
    picture_HWC = picture_of(shards, 0)
    height, width, _ = picture_HWC.shape
    assert height == width
    assert picture_HWC[height // 2, width // 2, 0] > 150  # the patch of class 0 is red
    assert torch.equal(sound_of(shards, 0), torch.from_numpy(shards.waveform(0)))


@pytest.mark.parametrize(
    ("size", "shown"), [((300, 600), (256, 128)), ((20, 10), (10, 20)), ((256, 256), (256, 256))]
)
def test_a_picture_is_made_smaller_to_fit_and_never_larger(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    assert reduced(Image.new("RGB", size)).shape == (*shown, 3)


def test_pixels_are_shown_as_they_are() -> None:
    pixels_CHW = torch.randint(256, (3, 5, 7), dtype=torch.uint8)
    assert (pixels_of(pixels_CHW) == pixels_CHW.permute(1, 2, 0).numpy()).all()


def test_a_figure_is_saved_whole_at_150_dpi_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "samples" / "one.png"
    save(Figure(figsize=(2, 1)), path)
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", (300, 150))
        assert picture.info["dpi"] == pytest.approx((150, 150), abs=0.1)
    assert [entry.name for entry in path.parent.iterdir()] == ["one.png"]


BEGINNINGS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.mark.parametrize("formats", [(), ("png",), ("pdf",), ("png", "svg"), ("svg", "pdf")])
def test_other_formats_stand_beside_the_png(tmp_path: Path, formats: tuple[Format, ...]) -> None:
    save(Figure(figsize=(1, 1)), tmp_path / "one.png", formats)
    found = {entry.suffix[1:]: entry.read_bytes() for entry in tmp_path.iterdir()}
    assert found.keys() == {"png", *formats}
    assert all(content.startswith(BEGINNINGS[name]) for name, content in found.items())


def test_a_picture_is_saved_whole_and_its_folder_is_made(tmp_path: Path) -> None:
    save_picture(Image.new("RGB", (3, 2), "red"), tmp_path / "new" / "a.png")
    with Image.open(tmp_path / "new" / "a.png") as picture:
        assert (picture.format, picture.size, picture.getpixel((0, 0))) == ("PNG", (3, 2), (255, 0, 0))


class Torn(Figure):
    """Fails in the middle of being written."""

    def savefig(self, fname: Any, **settings: Any) -> None:
        Path(fname).write_bytes(b"\x89PNG, and then")
        raise OSError("no space left on device")


def test_a_figure_that_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    save(Figure(figsize=(2, 1)), path)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"one\.png: cannot be written \(no space left"):
        save(Torn(), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["one.png"]
