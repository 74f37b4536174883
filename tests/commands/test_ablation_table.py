import csv
from pathlib import Path

import pytest

from sound2scene.commands.ablation_table import as_markdown, comma_separated, figures_of, rows_of

RECALL, FID = "test/class/audio_to_image/recall_at_1", "test/fid"
MEASURED = {
    "base": {0: {RECALL: 0.5, FID: 4.0}, 1: {RECALL: 0.7, FID: 5.0}},
    "loss_l2": {0: {RECALL: 0.4}, 1: {RECALL: 0.5}, 2: {RECALL: 0.1}},
}


def test_the_figures_of_a_log_are_known_by_their_names_and_protocols(tmp_path: Path) -> None:
    names = f"{RECALL},{FID}/n288_test_judge,{FID}_from_z_image/n288_test_judge"
    log = f"epoch,step,{names}\n0,4,0.5,,\n0,4,,7.5,3\n"
    (tmp_path / "metrics.csv").write_text(log)
    assert figures_of(tmp_path / "metrics.csv") == {RECALL: 0.5, FID: 7.5}


def test_rows_have_each_seed_the_mean_and_the_paired_difference() -> None:
    first, second, third = rows_of(MEASURED)
    assert (first.figure, first.recipe, first.difference) == (RECALL, "base", None)
    assert second.by_seed == {0: 0.4, 1: 0.5, 2: 0.1}
    assert second.difference is not None
    assert second.difference.value == pytest.approx(-0.15)  # over the two seeds that both have
    assert second.difference.items == 2
    assert (third.figure, third.recipe) == (FID, "base")


def test_the_markdown_shows_them() -> None:
    lines = as_markdown(rows_of(MEASURED), [0, 1, 2]).splitlines()
    assert lines[0] == ("| figure | recipe | seed 0 | seed 1 | seed 2 | mean | minus base | 95 % interval |")
    assert lines[2] == "| class recall at 1, audio to image | base | 0.500 | 0.700 |  | 0.600 |  |  |"
    assert lines[3].startswith(
        "| class recall at 1, audio to image | loss_l2 | 0.400 | 0.500 | 0.100 | 0.333 | -0.150 |"
    )
    assert lines[4].startswith("| FID | base | 4.000 |")


def test_a_csv_has_values_in_full() -> None:
    head, base, l2, _ = csv.reader(comma_separated(rows_of(MEASURED), [0, 1, 2]).splitlines())
    assert head == [
        *("figure", "recipe", "seed_0", "seed_1", "seed_2", "mean", "difference", "low", "high", "seeds"),
    ]
    assert base[:6] == [RECALL, "base", "0.5", "0.7", "", "0.6"]
    assert l2[-1] == "2"


def test_without_a_base_there_are_no_differences() -> None:
    (row,) = rows_of({"loss_l2": {0: {RECALL: 0.4}}})
    assert row.difference is None
