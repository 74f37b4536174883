from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from sound2scene.figures.panels import save
from sound2scene.figures.parallel import Axis, draw_parallel, scaled

RATES: list[float | str] = [1e-4, 1e-2, 1e-3]


def lines(figure: Figure) -> list[list[float]]:
    """Heights of each run's line over the axes, in the order in which they were drawn."""
    return [
        np.asarray(line.get_ydata()).tolist()
        for line in figure.axes[0].get_lines()
        if line.get_marker() == "o"
    ]


@pytest.mark.costly
def test_each_run_is_a_line_over_all_axes_and_the_best_is_drawn_last_in_its_colour(tmp_path: Path) -> None:
    words: list[float | str] = ["paper", "log_mel", "paper"]
    figure = draw_parallel(
        [Axis("lr", RATES), Axis("front $end", words)], Axis("val/a_b", [0.5, 0.1, 0.3]), [4, 5, 6]
    )
    assert lines(figure) == [pytest.approx(heights) for heights in ([0.5, 0, 0.5], [1, 1, 0], [0, 0, 1])]
    colours = [line.get_color() for line in figure.axes[0].get_lines() if line.get_marker() == "o"]
    assert len(set(colours)) == 3
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"4", "5", "6", "paper", "log_mel", "0.0001", "0.5"} <= set(texts)
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["lr", "front $end", "val/a_b"]
    assert figure.axes[1].get_ylabel() == "val/a_b"
    save(figure, tmp_path / "parallel.png")
    assert (tmp_path / "parallel.png").stat().st_size > 5000


def test_a_name_too_long_for_a_line_stands_whole_in_several() -> None:
    name = "val/class/audio_to_image/recall_at_1"
    figure = draw_parallel([Axis("lr", [1.0])], Axis(name, [0.5]), [0])
    shown = figure.axes[0].get_xticklabels()[1].get_text()
    assert shown.replace("\n", "") == name
    assert max(map(len, shown.splitlines())) < len(name) / 2


@pytest.mark.parametrize(
    ("values", "places", "ticks"),
    [
        ([1.0, 2.0, 3.0], [0, 0.5, 1], ["1", "2", "3"]),
        (RATES, [0, 1, 0.5], ["0.0001", "0.001", "0.01"]),  # by logarithms
        ([0.0, 100.0], [0, 1], ["0", "100"]),  # which 0 has none of
        ([5.0], [0.5], ["5"]),
        (["b", "a", "b"], [0, 1, 0], ["b", "a"]),
        ([0.3, "median"], [0, 1], ["0.3", "median"]),
        ([float(number) for number in range(9)], np.linspace(0, 1, 9), ["0", "2", "4", "6", "8"]),
    ],
)
def test_values_stand_at_their_places_with_few_ticks(
    values: list[float | str], places: list[float], ticks: list[str]
) -> None:
    found, marks = scaled(values)
    assert found == pytest.approx(list(places))
    assert [word for _, word in marks] == ticks


def test_a_sweep_without_figures_is_a_picture_that_says_so() -> None:
    figure = draw_parallel([Axis("lr", [])], Axis("val/a", []), [])
    assert figure.axes[0].texts[0].get_text() == "no run has a figure yet"
