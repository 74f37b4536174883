from typing import Any

import pytest

from sound2scene.evaluation import comparison
from sound2scene.evaluation.published import tables
from sound2scene.types import InputError
from written_results import figure, result


def test_methods_of_several_results_of_one_protocol_stand_in_one_table() -> None:
    (table,) = comparison.tables_of(
        [("a.json", result({"ours": [figure(0.5)]})), ("b.json", result({"theirs": [figure(0.25)]}))]
    )
    assert comparison.head(table) == ["method", "R@1 ↑"]
    assert comparison.cells(table) == [
        ["ours", "0.500 [0.400, 0.600]"],
        ["theirs", "0.250 [0.150, 0.350]"],
    ]
    assert comparison.cells(table, intervals=False)[0] == ["ours", "0.500"]


@pytest.mark.parametrize("other", [{"protocol": "q" * 64}, {"clips": 3}])
def test_results_of_another_protocol_or_of_other_clips_get_a_table_of_their_own(
    other: dict[str, Any],
) -> None:
    found = comparison.tables_of(
        [("a.json", result({"ours": [figure(0.5)]})), ("b.json", result({"theirs": [figure(0.5)]}, **other))]
    )
    assert [[row.method for row in table.rows] for table in found] == [["ours"], ["theirs"]]


def test_one_name_for_two_methods_is_refused_and_the_same_result_twice_is_not() -> None:
    one, other = result({"ours": [figure(0.5)]}), result({"ours": [figure(0.25)]})
    (table,) = comparison.tables_of([("a.json", one), ("b.json", one)])
    assert len(table.rows) == 1
    with pytest.raises(InputError, match=r"b\.json: method 'ours' is in another result"):
        comparison.tables_of([("a.json", one), ("b.json", other)])


def test_a_method_without_a_figure_has_an_empty_cell_and_the_arrow_says_what_is_better() -> None:
    found = result({"ours": [figure(0.5), figure(3.0, name="FID", better="lower")], "theirs": [figure(0.25)]})
    (table,) = comparison.tables_of([("a.json", found)])
    assert comparison.head(table) == ["method", "R@1 ↑", "FID ↓"]
    assert comparison.cells(table, intervals=False) == [["ours", "0.500", "3.00"], ["theirs", "0.250", ""]]


def test_differences_are_paired_so_that_what_both_share_does_not_widen_them() -> None:
    noisy = [0.1, 0.5, 0.9]
    found = result({"ours": [figure(0.5, noisy)], "theirs": [figure(0.25, [one - 0.25 for one in noisy])]})
    (table,) = comparison.tables_of([("a.json", found)])
    assert comparison.differences(table, "theirs") == [["ours", "+0.250 [+0.250, +0.250], p = 0.500"]]
    with pytest.raises(InputError, match="--base nobody: no such method; choose one of ours, theirs"):
        comparison.differences(table, "nobody")


def test_the_papers_figure_3_is_known_with_its_source() -> None:
    (table,) = tables()
    assert "Figure 3" in table["source"]
    head, rows = comparison.published_rows(table)
    assert head == ["method", "R@1", "FID", "IS"]
    assert rows[-1] == ["Sound2Scene", "0.776", "34.68", "4.01"]
