from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sound2scene.figures.curves import draw_curves, read_series

LOG = """\
epoch,step,train/loss,val/score,speed/clips_per_s
0,0,1.5,,
0,1,1.25,,80.0
0,1,,0.5,
1,3,0.75,,
1,3,,0.625,
"""


def lines(figure: Figure) -> dict[str, dict[str, tuple[list[float], list[float], str]]]:
    """Steps, values and style of every curve, by the title of its panel and its own label."""
    return {
        axes.get_title(): {
            str(line.get_label()): (
                np.asarray(line.get_xdata()).tolist(),
                np.asarray(line.get_ydata()).tolist(),
                line.get_linestyle(),
            )
            for line in axes.get_lines()
        }
        for axes in figure.axes
    }


def test_series_hold_every_logged_figure_with_its_step(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(LOG)
    assert read_series(tmp_path / "metrics.csv") == {
        "train/loss": [(0, 1.5), (1, 1.25), (3, 0.75)],
        "val/score": [(1, 0.5), (3, 0.625)],
        "speed/clips_per_s": [(1, 80.0)],
    }


def test_curves_stand_in_the_panel_of_their_kind_and_levels_are_dashed(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(LOG)
    series = read_series(tmp_path / "metrics.csv") | {"train/chance": [(0.0, 1.8), (3.0, 1.8)]}
    assert lines(draw_curves(series)) == {
        "loss": {
            "train/loss": ([0, 1, 3], [1.5, 1.25, 0.75], "-"),
            "train/chance": ([0, 3], [1.8, 1.8], "--"),
        },
        "held out": {"val/score": ([1, 3], [0.5, 0.625], "-")},
        "clips per second": {"speed/clips_per_s": ([1], [80], "-")},
    }


def test_of_many_recalls_the_ones_at_1_are_shown() -> None:
    names = [
        f"val/class/{way}/recall_at_{k}" for way in ("audio_to_image", "image_to_audio") for k in (1, 5, 10)
    ]
    series = {name: [(0.0, 0.5)] for name in [*names, "val/class/chance_at_1", "val/class/chance_at_10"]}
    shown = lines(draw_curves(series))["held out"]
    assert {name: style for name, (_, _, style) in shown.items()} == {
        "val/class/audio_to_image/recall_at_1": "-",
        "val/class/image_to_audio/recall_at_1": "-",
        "val/class/chance_at_1": "--",
    }


def test_a_run_that_logged_nothing_has_empty_panels() -> None:
    assert lines(draw_curves({})) == {"loss": {}, "held out": {}, "clips per second": {}}
