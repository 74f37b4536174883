import numpy as np
import pytest
import torch

from sound2scene.figures.contact_sheet import SheetRow, draw_sheet, level
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


def test_titles_say_the_seconds_and_the_chosen_moment_is_marked() -> None:
    axes = draw_sheet([row()]).axes
    titles = [one.get_title() for one in axes]
    assert titles[0] == "chosen, 4.7 s"
    assert "middle, 5.0 s" in titles
    (scores,) = (one for one in axes if one.get_title().startswith("score"))
    line, chosen, middle = scores.get_lines()
    assert np.asarray(line.get_xdata())[47] == pytest.approx(4.7)
    assert list(np.asarray(chosen.get_xdata())) == [4.7, 4.7]
    assert list(np.asarray(middle.get_xdata())) == [5.0, 5.0]


def test_the_heat_maps_column_is_there_if_any_video_has_one() -> None:
    titles = [one.get_title() for one in draw_sheet([row(heat=False), row()]).axes]
    assert titles.count("where it sounds") == 1
    blind = draw_sheet([row(heat=False)])
    assert "where it sounds" not in [one.get_title() for one in blind.axes]
    assert draw_sheet([row()]).get_size_inches()[0] - blind.get_size_inches()[0] == pytest.approx(1.9)


def test_a_name_with_dollars_is_a_name_and_no_formula() -> None:
    figure = draw_sheet([row("$1_vs_$1000_Hotel")])
    figure.canvas.draw()
    assert figure.axes[0].get_ylabel() == "$1_vs_$1000_Hotel"
    assert figure.axes[0].yaxis.label.get_parse_math() is False
