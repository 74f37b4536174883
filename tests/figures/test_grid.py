from pathlib import Path

import numpy as np
import pytest
import torch

from page_reading import every_image, pictures, sounds, words
from sound2scene.data.shards.read import ShardDataset
from sound2scene.figures.grid import draw_grid

SHOWN = [4, 2]


@pytest.fixture
def split(tiny_shards: Path) -> ShardDataset:
    return ShardDataset(str(tiny_shards), "val")


DRAWN_BJCHW = torch.randint(
    256, (2, 3, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


@pytest.mark.parametrize("heard", [True, False])
def test_a_row_has_its_sound_where_there_is_one_its_picture_and_what_was_drawn_for_it(
    split: ShardDataset, heard: bool
) -> None:
    figure = draw_grid(split, SHOWN, DRAWN_BJCHW, sounds=heard)
    assert len(sounds(figure)) == (2 if heard else 0)
    shown = pictures(figure)
    assert len(shown) == 2 * (1 + 3)
    for row in range(2):
        picture, *drawn = shown[4 * row : 4 * row + 4]
        # Patches of the classes: clip 4 is of class 1 (green), clip 2 of class 2 (blue).
        assert int(picture[len(picture) // 2, len(picture) // 2].argmax()) == (1, 2)[row]
        for pixels_HWC, expected_CHW in zip(drawn, DRAWN_BJCHW[row], strict=True):
            np.testing.assert_array_equal(pixels_HWC, expected_CHW.permute(1, 2, 0).numpy())
    assert words(figure)[-2:] == ["middle", "high"]
    assert {image.get_interpolation() for image in every_image(figure)} == {"nearest"}


@pytest.mark.parametrize("heard", [True, False])
def test_title_and_headings_say_what_is_shown(split: ShardDataset, heard: bool) -> None:
    figure = draw_grid(split, SHOWN, DRAWN_BJCHW, heard, "step 160, seed 0")
    headings = [*(["sound"] if heard else []), "real", *(f"generated, draw {draw}" for draw in range(3))]
    assert words(figure)[:-2] == [
        f"Pictures generated from {'sounds' if heard else 'features of pictures'}",
        "clips of the split val, step 160, seed 0",
        *headings,
    ]
