from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

from sound2scene.data.shards.read import ShardDataset
from sound2scene.figures.panels import clip_name, show_picture, show_pixels, show_sound, spread


@pytest.mark.parametrize(
    ("labels", "count", "expected"),
    [([0, 0, 1, 1, 2], 4, [0, 2, 4, 1]), ([-1, -1], 5, [0, 1]), ([], 3, [])],
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
