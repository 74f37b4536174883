import numpy as np
import torch

from sound2scene.figures.drawn import DrawnSound, grid_of_sounds
from sound2scene.figures.words import LETTERS
from sound2scene.types import CLIP_SAMPLES


def test_a_row_shows_name_spectrogram_and_pictures() -> None:
    pixels_JCHW = torch.randint(256, (2, 3, 3, 8, 8), dtype=torch.uint8).unbind()
    names = ("bell", "a very long name of a sound file")
    sounds = [
        DrawnSound(name, 0.1 * torch.randn(CLIP_SAMPLES), drawn_JCHW)
        for name, drawn_JCHW in zip(names, pixels_JCHW, strict=True)
    ]
    axes = grid_of_sounds(sounds).axes
    assert len(axes) == 2 * (1 + 3)
    assert [one.get_ylabel() for one in axes[::4]] == ["bell", names[1][:LETTERS]]
    for row, sound in enumerate(sounds):
        for draw in range(3):
            shown = axes[4 * row + 1 + draw].get_images()[0].get_array()
            np.testing.assert_array_equal(shown, sound.pixels_JCHW[draw].permute(1, 2, 0))
        assert axes[4 * row].get_images()[0].get_array().shape != (8, 8, 3)
