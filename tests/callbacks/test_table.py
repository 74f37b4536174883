import csv
import io

from sound2scene.callbacks.table import bounds_explained, comma_separated, latex, markdown, rows_of

FIGURES = {
    "val/instance/audio_to_image/recall_at_1": 0.039,
    "val/instance/chance_at_1": 1 / 256,
    "val/class/audio_to_image/recall_at_10": 1.0,
    "val/class/audio_to_image/recall_at_1": 0.96484375,
    "val/class/chance_at_1": 0.125,
    "val/class/chance_at_10": 0.744,
    "val/fid/n256_val_judge-resnet18_64px": 4.3486,
    "val/fid_from_z_image/n256_val_judge-resnet18_64px": 2.9603,
    "val/fid_of_class_means/n200_val_judge-resnet18_64px": 23.8965,
    "val/judged_as_label/n256_val_judge-resnet18_64px": 0.9492,
    "val/something_new": 2.0,
}
TABLE = """\
| figure | value | chance | ceiling | floor | N | protocol |
| --- | --- | --- | --- | --- | --- | --- |
| class recall at 1, audio to image | 0.9648 | 0.125 |  |  | 256 |  |
| class recall at 10, audio to image | 1 | 0.744 |  |  | 256 |  |
| instance recall at 1, audio to image | 0.039 | 0.004 |  |  | 256 |  |
| FID | 4.349 |  | 2.96 | 23.9 | 256 | real val, judge-resnet18 64px |
| something new | 2 |  |  |  | 256 |  |
| taken for its class by the judge | 0.9492 |  |  |  | 256 | real val, judge-resnet18 64px |"""


def test_figures_have_names_a_reader_knows_with_chance_number_and_protocol() -> None:
    assert markdown(rows_of(FIGURES, 256)) == TABLE
    assert bounds_explained(rows_of(FIGURES)) == (
        "ceiling: of the pictures from true z_image; floor: of the mean picture of each class"
    )


def test_an_accuracy_stands_beside_its_chance() -> None:
    (row,) = rows_of({"val/accuracy": 0.5, "val/chance": 0.125}, 9)
    assert bounds_explained([row]) == ""
    assert row.cells() == ["accuracy", "0.5", "0.125", "", "", "9", ""]


def test_columns_that_nothing_fills_are_left_out() -> None:
    assert markdown(rows_of({"test/score": 0.25})) == "| figure | value |\n| --- | --- |\n| score | 0.25 |"


def test_the_csv_keeps_every_digit() -> None:
    rows = list(csv.DictReader(io.StringIO(comma_separated(rows_of(FIGURES, 256)))))
    assert rows[0] == {
        "figure": "class recall at 1, audio to image",
        "value": "0.96484375",
        "chance": "0.125",
        "ceiling": "",
        "floor": "",
        "N": "256",
        "protocol": "",
    }
    assert [(row["value"], row["ceiling"], row["floor"]) for row in rows[3:4]] == [
        ("4.3486", "2.9603", "23.8965")
    ]
    assert len(rows) == 6


def test_a_ceiling_without_its_figure_has_a_row() -> None:
    rows = rows_of({"val/kinds_right_from_z_image/n9_val_reader_64px": 0.5})
    assert [row.name for row in rows] == ["shows the right kinds and no others from true z_image (ceiling)"]


def test_figures_that_differ_behind_their_name_are_rows_of_their_own() -> None:
    assert [row.name for row in rows_of({"val/loss/image": 1.0, "val/loss/audio": 1.0})] == [
        "loss, audio",
        "loss, image",
    ]


def test_bounds_of_another_network_stand_beside_its_own_figure() -> None:
    figures = {
        f"val/fid{of}/n9_val_{who}": float(of != "") + 2 * (who == "b")
        for of in ("", "_from_z_image")
        for who in "ab"
    }
    assert [(row.value, row.ceiling, row.protocol) for row in rows_of(figures)] == [
        (0, 1, "real val, a"),
        (2, 3, "real val, b"),
    ]


def test_latex_escapes_what_it_would_take_for_its_own() -> None:
    text = latex(rows_of({"val/a_b/c%d": 1.0, "val/fid/n9_val_x_y": 2.0}))
    assert text.startswith(
        "\\begin{tabular}{lrrr}\n\\toprule\nfigure & value & N & protocol \\\\\n\\midrule\n"
    )
    assert "a b, c\\%d & 1 &" in text
    assert text.endswith("\\bottomrule\n\\end{tabular}\n")
