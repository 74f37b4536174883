from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from sound2scene.data.shards.read import ShardDataset
from sound2scene.figures.panels import clip_name, save, show_picture, show_pixels, show_sound, spread
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


def test_panels_show_the_clip_and_have_no_ticks(tiny_shards: Path) -> None:
    shards = ShardDataset(str(tiny_shards), "val")
    assert clip_name(shards, 1) == "middle"
    shards.label_N[1] = -1
    assert clip_name(shards, 1) == shards.key(1)
    picture, drawn, sound = Figure().subplots(1, 3)
    show_picture(picture, shards, 0, "tab:red")
    shown = picture.images[0].get_array()
    assert shown.shape == (128, 128, 3)
    assert shown[64, 64, 0] > 150  # the patch of class 0 is red
    assert picture.spines["left"].get_visible()
    pixels_CHW = torch.randint(256, (3, 5, 7), dtype=torch.uint8)
    show_pixels(drawn, pixels_CHW)
    assert (drawn.images[0].get_array() == pixels_CHW.permute(1, 2, 0).numpy()).all()
    show_sound(sound, shards, 0)
    assert sound.images[0].get_array().shape == (257, 1004)
    assert all(len(axes.get_xticks()) == 0 for axes in (picture, drawn, sound))


def test_a_figure_is_saved_whole_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "samples" / "one.png"
    save(Figure(figsize=(2, 1)), path, dpi=50)
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", (100, 50))
    assert [entry.name for entry in path.parent.iterdir()] == ["one.png"]


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
