import numpy as np
import pytest
import torch

from page_reading import every_image, legend, pictures, plots, words
from sound2scene.figures.contact_sheet import SheetRow, draw_sheet, level
from sound2scene.figures.sheet import COLOURS, GAP, SIDE
from sound2scene.moments import Moments


def row(key: str = "dog/a", heat: bool = True) -> SheetRow:
    pixels_CHW = torch.zeros(3, 8, 8, dtype=torch.uint8)
    heat_HW = torch.rand(8, 8) if heat else None
    level_S = torch.full((100,), -30.0)
    return SheetRow(key, 4.7, pixels_CHW, 5.0, pixels_CHW + 9, torch.rand(100), level_S, heat_HW)


def test_level_is_the_root_mean_square_of_each_step_in_db() -> None:
    waveform_T = torch.cat([torch.zeros(1600), torch.full((1600,), 0.1), torch.ones(800)])
    second_S = torch.arange(3, dtype=torch.float64) / 10
    found_S = level(Moments("k", second_S, torch.zeros(3, 3, 2, 2, dtype=torch.uint8), waveform_T))
    assert found_S.tolist() == pytest.approx([-80, -20, 10 * np.log10(0.5)], abs=1e-4)


def test_headings_and_captions_say_what_is_shown_and_the_chosen_moment_is_marked() -> None:
    figure = draw_sheet([row()], "1 of 9 videos, chosen by x")
    assert words(figure) == [
        "Chosen moments beside the middles of the videos",
        "1 of 9 videos, chosen by x",
        *("chosen moment", "where it sounds", "", "score", "middle"),
        *("dog/a", "at 4.7 s", "at 5.0 s"),
    ]
    (axes,) = plots(figure)
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("score", "seconds")
    line, chosen, middle = axes.get_lines()
    assert np.asarray(line.get_xdata())[47] == pytest.approx(4.7)
    assert list(np.asarray(chosen.get_xdata())) == [4.7, 4.7]
    assert list(np.asarray(middle.get_xdata())) == [5.0, 5.0]
    assert legend(figure.axes[0]) == [
        "score (one scale for all rows)",
        "level of the sound, -80 to 0 dB re full scale",
        "chosen moment",
        "middle of the video",
    ]


def test_the_heat_maps_column_is_there_if_any_video_has_one() -> None:
    mixed, blind = draw_sheet([row(heat=False), row()]), draw_sheet([row(heat=False)])
    assert "where it sounds" in words(mixed)
    assert "where it sounds" not in words(blind)
    assert [len(pictures(figure)) for figure in (mixed, blind)] == [2 * 2 + 2, 2]  # the map and its frame
    width, narrow = (figure.get_size_inches()[0] * 150 for figure in (draw_sheet([row()]), blind))
    assert width - narrow == SIDE + GAP


def test_all_maps_share_one_scale_and_so_do_all_scores_so_that_an_unsure_video_looks_unsure() -> None:
    sure, unsure = row("sure"), row("unsure")
    sure = sure._replace(heat_HW=torch.tensor([[-1.0, 9.0]]), score_S=torch.tensor([0.0, 8.0] * 50))
    unsure = unsure._replace(heat_HW=torch.tensor([[0.0, 0.1]]), score_S=torch.tensor([0.0, 0.1] * 50))
    figure = draw_sheet([sure, unsure])
    maps = [image for image in figure.axes[0].images if image.get_cmap().name == COLOURS]
    assert len(maps) == 2
    assert maps[0].norm is maps[1].norm
    assert (maps[0].norm.vmin, maps[0].norm.vmax) == (-1, 9)
    first, second = plots(figure)
    assert first.get_ylim() == second.get_ylim() == pytest.approx((-0.4, 8.4))
    assert figure.axes[-1].get_xlabel() == "where it sounds: value of the map"


def test_a_map_is_shown_as_it_is_over_a_frame_in_grey() -> None:
    one = row()
    shown = pictures(draw_sheet([one]))
    assert one.heat_HW is not None
    np.testing.assert_array_equal(shown[2], one.heat_HW.numpy())
    assert shown[1].shape == (8, 8)
    assert {image.get_interpolation() for image in every_image(draw_sheet([one]))} == {"nearest"}


def test_flat_maps_and_flat_scores_can_be_drawn() -> None:
    flat = row()._replace(heat_HW=torch.zeros(2, 2), score_S=torch.zeros(9), level_S=torch.zeros(9))
    draw_sheet([flat]).canvas.draw()


def test_a_name_with_dollars_is_a_name_and_no_formula() -> None:
    figure = draw_sheet([row("$1_vs_$1000_Hotel")])
    figure.canvas.draw()
    (name,) = (text for text in figure.axes[0].texts if "Hotel" in text.get_text())
    assert (name.get_text(), name.get_parse_math()) == ("$1_vs_$1000_Hotel", False)
