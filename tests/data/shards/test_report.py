import gzip
import json
from typing import Any

from sound2scene.data.shards.report import MISSING, REPORT, count_kinds, coverage_line, covered, report_files
from sound2scene.types import Rejected

COUNTED = {"train": {"found": 9, "expected": 20}, "test": {"found": 3, "expected": 4}}
CARD: dict[str, Any] = {
    "name": "drawn",
    "notes": {"coverage": COUNTED},
    "splits": {"train": {"clips": 5}, "val": {"clips": 2}, "test": {"clips": 3}},
}
REJECTED = {
    "train": [
        Rejected("a", "is silent", "silent"),
        Rejected("b", "cut", "truncated"),
        Rejected("c", "!", "silent"),
    ],
    "val": [],
    "test": [],
}


def test_clips_held_out_for_validation_count_where_they_come_from() -> None:
    assert covered(CARD) == {
        "train": {"found": 9, "expected": 20, "clips": 7},
        "test": {"found": 3, "expected": 4, "clips": 3},
    }
    assert coverage_line(covered(CARD)) == "coverage: train 7 of 20, test 3 of 4"


def test_a_source_that_was_not_counted_has_no_coverage() -> None:
    assert covered({"splits": CARD["splits"]}) == {}
    assert covered(CARD | {"notes": {"frame": "true"}}) == {}


def test_the_report_counts_and_lists_every_clip_by_kind() -> None:
    files = dict(
        report_files(CARD, REJECTED, {"train": ["k1", "k2"], "test": []}, {"not_in_table": ["x/y.mp4"]})
    )
    report = json.loads(files[REPORT])
    assert report["coverage"] == covered(CARD)
    assert report["splits"] == {
        "train": {
            "clips": 5,
            "rejected": {
                "silent": {"count": 2, "keys": ["a", "c"]},
                "truncated": {"count": 1, "keys": ["b"]},
            },
        },
        "val": {"clips": 2, "rejected": {}},
        "test": {"clips": 3, "rejected": {}},
    }
    assert report["strays"] == {"not_in_table": {"count": 1, "files": ["x/y.mp4"]}}
    assert report["missing"] == {"train": 2, "test": 0}
    assert gzip.decompress(files[MISSING]).decode() == "train\tk1\ntrain\tk2\n"
    assert count_kinds(REJECTED["train"]) == {"silent": 2, "truncated": 1}


def test_the_same_report_is_the_same_bytes_and_nothing_missing_is_no_file() -> None:
    given = CARD, REJECTED, {"train": ["k"]}, {"not_in_table": []}
    assert dict(report_files(*given)) == dict(report_files(*given))
    files = dict(report_files(CARD, REJECTED, {"train": []}, {"not_in_table": []}))
    assert list(files) == [REPORT]
    assert json.loads(files[REPORT])["strays"] == {}
