from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from sound2scene.data.shards.read import ShardDataset
from sound2scene.figures.grid import draw_grid

SHOWN = [4, 2]


@pytest.fixture
def split(tiny_shards: Path) -> ShardDataset:
    return ShardDataset(str(tiny_shards), "val")


DRAWN_BJCHW = torch.randint(
    256, (2, 3, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def pixels(figure: Figure) -> list[np.ndarray]:
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes]


def test_a_row_has_its_sound_its_picture_and_what_was_drawn_for_it(split: ShardDataset) -> None:
    figure = draw_grid(split, SHOWN, DRAWN_BJCHW, sounds=True)
    shown = pixels(figure)
    assert len(shown) == 2 * (2 + 3)
    for row in range(2):
        sound, picture, *drawn = shown[5 * row : 5 * row + 5]
        assert sound.ndim == 2  # a spectrogram
        assert picture.shape == (128, 128, 3)
        for pixels_HWC, expected_CHW in zip(drawn, DRAWN_BJCHW[row], strict=True):
            assert (pixels_HWC == expected_CHW.permute(1, 2, 0).numpy()).all()
    # Patches of the classes: clip 4 is of class 1 (green), clip 2 of class 2 (blue).
    assert [int(shown[5 * row + 1][64, 64].argmax()) for row in range(2)] == [1, 2]
    assert [figure.axes[5 * row].get_ylabel() for row in range(2)] == ["middle", "high"]
    assert [axes.get_title() for axes in figure.axes] == ["sound", "real", "generated", *[""] * 7]


def test_without_sounds_a_row_begins_with_its_picture(split: ShardDataset) -> None:
    figure = draw_grid(split, SHOWN, DRAWN_BJCHW, sounds=False)
    shown = pixels(figure)
    assert [part.shape for part in shown] == [(128, 128, 3), *[(8, 8, 3)] * 3] * 2
    assert [axes.get_title() for axes in figure.axes] == ["real", "generated", *[""] * 6]
    assert figure.axes[4].get_ylabel() == "high"
