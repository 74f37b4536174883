from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from page_reading import legend, words
from sound2scene.figures.curves import draw_curves, read_series

LOG = """\
epoch,step,train/loss,val/score,speed/clips_per_s
0,0,1.5,,
0,1,1.25,,80.0
0,1,,0.5,
1,3,0.75,,
1,3,,0.625,
"""


JUDGED = "n256_val_judge_64px"


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
        for axes in figure.axes[1:]
    }


def test_series_hold_every_logged_figure_with_its_step(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(LOG)
    assert read_series(tmp_path / "metrics.csv") == {
        "train/loss": [(0, 1.5), (1, 1.25), (3, 0.75)],
        "val/score": [(1, 0.5), (3, 0.625)],
        "speed/clips_per_s": [(1, 80.0)],
    }


def test_curves_stand_in_the_panel_of_their_unit_and_levels_are_dashed_or_dotted(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(LOG)
    levels = {"train/chance": [(0.0, 1.8), (3.0, 1.8)], "train/floor": [(0.0, 0.5)], "val/loss": [(3.0, 1.0)]}
    series = read_series(tmp_path / "metrics.csv") | levels
    assert lines(draw_curves(series)) == {
        "loss": {
            "training": ([0, 1, 3], [1.5, 1.25, 0.75], "-"),
            "held out": ([3], [1], "-"),
            "chance": ([0, 3], [1.8, 1.8], "--"),
            "floor": ([0], [0.5], ":"),
        },
        "score, held out": {"score": ([1, 3], [0.5, 0.625], "-")},
        "speed": {"speed, clips per s": ([1], [80], "-")},
    }


def test_fid_has_a_panel_with_its_protocol_its_ceiling_and_what_class_means_would_get() -> None:
    names = [f"val/{name}/{JUDGED}" for name in ("fid", "fid_from_z_image", "fid_of_class_means")]
    figure = draw_curves({name: [(0.0, 9.0)] for name in names})
    ((title, shown),) = lines(figure).items()
    assert title == f"FID (smaller is better), held out\n{JUDGED}"
    assert {name: style for name, (_, _, style) in shown.items()} == {
        "FID": "-",
        "FID of pictures from the true z_image": ":",
        "FID of class means": "--",
    }
    assert legend(figure.axes[1]) == list(shown)


def test_of_many_recalls_the_ones_at_1_are_shown_by_level() -> None:
    series = {
        f"val/{level}/{name}_at_{k}": [(0.0, 0.5)]
        for level in ("class", "instance")
        for name in ("audio_to_image/recall", "image_to_audio/recall", "chance")
        for k in (1, 5, 10)
    }
    shown = lines(draw_curves(series))
    assert list(shown) == ["recall at 1 of the class, held out", "recall at 1 of the very clip, held out"]
    for panel in shown.values():
        assert {name: style for name, (_, _, style) in panel.items()} == {
            "audio to image": "-",
            "image to audio": "-",
            "chance": "--",
        }


def test_figures_of_different_units_share_no_panel() -> None:
    names = ("fid", "kid", "inception_score", "accuracy", "effective_rank", "ciou")
    shown = lines(draw_curves({f"val/{name}": [(0.0, 0.5)] for name in names}))
    assert [len(panel) for panel in shown.values()] == [1] * len(names)


def test_axes_say_step_and_unit_and_the_title_which_run() -> None:
    figure = draw_curves({"train/loss": [(9.0, 1.0), (19.0, 0.5)]}, "runs/align/toy/version_0, seed 0")
    assert words(figure) == ["Figures of the run up to step 19", "runs/align/toy/version_0, seed 0"]
    axes = figure.axes[1]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "loss")
    assert legend(axes) == []  # of one curve


def test_the_legend_covers_no_curve() -> None:
    series = {name: [(0.0, 1.0), (9.0, 1.0)] for name in ("train/loss", "val/loss", "train/chance")}
    figure = draw_curves(series)
    figure.canvas.draw()
    axes = figure.axes[1]
    found = axes.get_legend()
    assert found is not None
    assert found.get_window_extent().y0 > axes.transData.transform((0, 1.0))[1]


def test_ceilings_of_one_panel_have_the_colours_of_their_figures_and_one_entry() -> None:
    ends = ("", "_from_z_image")
    names = [f"val/{place}_rank{end}/n8_val_reader" for place in ("height", "diameter") for end in ends]
    figure = draw_curves({name: [(1, 0.2), (2, 0.4)] for name in names})
    (axes,) = figure.axes[1:]
    solid = [line for line in axes.get_lines() if line.get_linestyle() == "-"]
    dotted = [line for line in axes.get_lines() if line.get_linestyle() == ":"]
    assert [line.get_color() for line in dotted] == [line.get_color() for line in solid]
    assert solid[0].get_color() != solid[1].get_color()
    assert legend(axes) == ["diameter rank", "height rank", "the same, of pictures from the true z_image"]
    figure.canvas.draw()
    found = axes.get_legend()
    assert found is not None
    assert found.get_window_extent().y0 > axes.transData.transform((0, 0.4))[1]


def test_no_share_is_marked_beyond_one() -> None:
    recalls = [f"val/class/{way}/recall_at_1" for way in ("audio_to_image", "image_to_audio", "chance")]
    figure = draw_curves({name: [(1, 0.2), (2, 1.0)] for name in recalls})
    low, high = figure.axes[1].get_ylim()
    shown = [tick for tick in figure.axes[1].get_yticks() if low <= tick <= high]
    assert high > 1.05
    assert len(shown) >= 3
    assert max(shown) == 1


def test_a_run_that_logged_nothing_says_so() -> None:
    assert words(draw_curves({})) == ["The run logged no figures"]
