import numpy as np
import pytest
import torch

from page_reading import every_image, pictures, sounds, words
from sound2scene.figures.drawn import DrawnSound, grid_of_sounds
from sound2scene.figures.sheet import SIDE
from sound2scene.figures.words import LETTERS, noise_words
from sound2scene.types import CLIP_SAMPLES


def drawn(names: tuple[str, ...], draws: int = 3) -> list[DrawnSound]:
    pixels_JCHW = torch.randint(256, (len(names), draws, 3, 8, 8), dtype=torch.uint8).unbind()
    return [
        DrawnSound(name, 0.1 * torch.randn(CLIP_SAMPLES), drawn_JCHW)
        for name, drawn_JCHW in zip(names, pixels_JCHW, strict=True)
    ]


def test_a_row_shows_name_spectrogram_and_pictures() -> None:
    given = drawn(("bell", "a very long name of a sound file"))
    figure = grid_of_sounds(given)
    assert len(sounds(figure)) == 2
    expected = [pixels_CHW.permute(1, 2, 0).numpy() for sound in given for pixels_CHW in sound.pixels_JCHW]
    for shown, pixels_HWC in zip(pictures(figure), expected, strict=True):
        np.testing.assert_array_equal(shown, pixels_HWC)
    assert words(figure)[-2:] == ["bell", "a very long name of a sound file"[:LETTERS]]
    assert {image.get_interpolation() for image in every_image(figure)} == {"nearest"}


def test_title_says_seed_draws_and_truncation_and_each_column_its_draw() -> None:
    figure = grid_of_sounds(drawn(("bell",)), noise_words(7, 3, 0.5))
    assert words(figure)[:6] == [
        "Pictures drawn from sounds",
        "noise: seed 7, draws 0 to 2, truncation 0.5",
        "sound",
        "draw 0",
        "draw 1",
        "draw 2",
    ]


@pytest.mark.costly
def test_a_grid_of_many_shows_them_at_half_the_size() -> None:
    few, many = (grid_of_sounds(drawn(("x",) * rows, draws=32)) for rows in (4, 5))
    width, half = (figure.get_size_inches()[0] * 150 for figure in (few, many))
    assert width - half == 33 * SIDE / 2
