import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from page_reading import sounds, words
from sound2scene.figures.sheet import COLOURS, SIDE, Sheet, bottom_of_scale, level_db
from sound2scene.types import CLIP_SAMPLES, SAMPLE_RATE_HZ

SECOND_T = torch.arange(CLIP_SAMPLES) / SAMPLE_RATE_HZ


def tone(hertz: float, gain: float = 0.5) -> Tensor:
    return gain * torch.sin(2 * torch.pi * hertz * SECOND_T)


def two_rows(*waveforms: Tensor) -> Figure:
    sheet = Sheet("t", "a", [SIDE, SIDE], len(waveforms), plots=True, foot=bottom_of_scale())
    for row, waveform_T in enumerate(waveforms):
        sheet.sound(row, 0, waveform_T)
    return sheet.finish()


def test_a_sound_has_axes_in_seconds_and_kilohertz() -> None:
    first, last = sounds(two_rows(tone(3000), tone(500)))
    assert (first.get_ylabel(), last.get_ylabel(), last.get_xlabel()) == ("kHz", "kHz", "seconds")
    assert first.get_xlabel() == ""  # the last row's stands for all
    for axes in (first, last):
        assert (axes.get_xlim(), axes.get_ylim()) == ((0, 10), (0, 8))
        assert axes.get_xticks().tolist() == [0, 2, 4, 6, 8]
        assert axes.get_yticks().tolist() == [0, 2, 4, 6]
    assert [axes.yaxis.get_tick_params()["labelleft"] for axes in (first, last)] == [True, True]
    assert [axes.xaxis.get_tick_params()["labelbottom"] for axes in (first, last)] == [False, True]


@pytest.mark.parametrize("side", [SIDE, SIDE // 2])
def test_a_tone_and_a_click_stand_at_their_hertz_and_second(side: int) -> None:
    waveform_T = tone(3000, 0.1) * (SECOND_T > 6)
    waveform_T[4 * SAMPLE_RATE_HZ] = 1.0
    sheet = Sheet("t", "", [side], 1, side, plots=True, foot=bottom_of_scale())
    sheet.sound(0, 0, waveform_T)
    (image,) = sounds(sheet.finish())[0].images
    level_FT = np.asarray(image.get_array())
    left, right, low, high = image.get_extent()
    loudest = level_FT[:, -5].argmax() + 0.5
    assert low + loudest * (high - low) / len(level_FT) == pytest.approx(3.0, abs=0.07)
    clicked = level_FT[len(level_FT) // 4 * 3].argmax() + 0.5  # at 6 kHz
    assert left + clicked * (right - left) / level_FT.shape[1] == pytest.approx(4.0, abs=0.08)


def test_all_sounds_of_a_sheet_share_one_colour_scale_which_stands_below() -> None:
    figure = two_rows(tone(3000, 0.9), tone(500, 0.001))
    loud, quiet = (axes.images[0] for axes in sounds(figure))
    assert loud.norm is quiet.norm
    assert np.asarray(loud.get_array()).max() <= loud.norm.vmax < np.asarray(loud.get_array()).max() + 5
    assert loud.norm.vmin == -70
    assert np.asarray(quiet.get_array()).max() < loud.norm.vmax - 30
    assert figure.axes[-1].get_xlabel() == "sound: dB re full scale² per Hz"
    assert (loud.cmap.name, loud.get_interpolation()) == (COLOURS, "nearest")


def test_the_colours_get_lighter_with_the_level_so_that_a_print_in_grey_tells_it_too() -> None:
    red, green, blue = (sounds(two_rows(tone(500)))[0].images[0].cmap(np.linspace(0, 1, 64))[:, :3]).T
    assert (np.diff(0.2126 * red + 0.7152 * green + 0.0722 * blue) > 0).all()


def test_noise_has_the_level_of_its_power_per_hertz() -> None:
    torch.manual_seed(0)
    level_FT, bins, frames = level_db(0.3 * torch.randn(CLIP_SAMPLES), SIDE, SIDE)
    assert (bins, frames, level_FT.shape) == (1, 4, (257, 251))
    # The mean of the logarithm of noise's power lies 2.5 dB below the logarithm of its mean.
    assert float(level_FT[2:-2].mean()) == pytest.approx(10 * np.log10(0.09 / 8000) - 2.5, abs=0.3)
    silent_FT, _, _ = level_db(torch.zeros(CLIP_SAMPLES), SIDE, SIDE)
    assert silent_FT.unique().tolist() == pytest.approx([-70])


def test_a_silent_sheet_has_a_scale() -> None:
    (axes,) = sounds(two_rows(torch.zeros(CLIP_SAMPLES)))
    assert (axes.images[0].norm.vmin, axes.images[0].norm.vmax) == (-70, -60)


def test_headings_stand_over_their_columns_and_captions_over_their_panels() -> None:
    sheet = Sheet("title", "about", [SIDE, 100, SIDE], 2, captions=True)
    sheet.heading(0, "first")
    sheet.heading(1, "both", until=2)
    sheet.caption(1, 2, "below")
    page = sheet.finish().axes[0]
    places = {text.get_text(): text.get_position() for text in page.texts}
    boxes = {(row, column): sheet.box(row, column) for row in (0, 1) for column in (0, 1, 2)}
    assert places["first"][0] == boxes[0, 0].left + SIDE / 2
    assert places["both"][0] == (boxes[0, 1].left + boxes[0, 2].left + SIDE) / 2
    assert places["first"][1] < boxes[0, 0].top
    assert boxes[0, 2].top + SIDE < places["below"][1] < boxes[1, 2].top
    assert words(sheet.finish())[:2] == ["title", "about"]


def test_pictures_stand_on_whole_dots_in_full_size() -> None:
    sheet = Sheet("t", "", [SIDE] * 3, 2, plots=True)
    for row in (0, 1):
        for column in (0, 1, 2):
            box = sheet.box(row, column)
            assert all(float(part).is_integer() for part in box)
            assert (box.width, box.height) == (SIDE, SIDE)


def test_a_long_name_of_a_small_row_takes_two_lines() -> None:
    sheet = Sheet("t", "", [SIDE // 2], 1, SIDE // 2)
    sheet.name(0, "abcdefghijklmnopqrstuvwxyz0123456789")
    first, second = words(sheet.finish())[1:]
    assert first + second == "abcdefghijklmnopqrstuvwxyz01"
