import math
import re

import pytest

from sound2scene.data.corpora.corpus import check_shares, held_out, refuse_clashes, shared_out
from sound2scene.data.shards.shard import safe_key
from sound2scene.types import InputError

NAMES = [f"clip {number}" for number in range(20)]


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(10, 0.2, 2), (10, 0.0, 0), (2, 0.01, 1), (1, 0.5, 0), (0, 0.5, 0), (1, 1.0, 1)],
)
def test_the_held_out_share_is_kept_and_never_all_or_nothing_by_accident(
    count: int, share: float, expected: int
) -> None:
    assert len(held_out(map(str, range(count)), share)) == expected


def test_what_is_held_out_does_not_depend_on_order_or_doubles() -> None:
    assert held_out(NAMES, 0.3) == held_out([*reversed(NAMES), *NAMES], 0.3)
    # A larger share holds out what a smaller one does, and more.
    assert held_out(NAMES, 0.3) < held_out(NAMES, 0.6)


def test_jobs_are_shared_out_by_their_keys_whatever_their_order() -> None:
    jobs = [{"key": name} for name in NAMES]
    splits = shared_out(jobs, 0.2, 0.3)
    keys = {split: {job["key"] for job in found} for split, found in splits.items()}
    assert {split: len(found) for split, found in splits.items()} == {"train": 11, "val": 3, "test": 6}
    assert set.union(*keys.values()) == set(NAMES)
    assert keys["test"] == held_out(NAMES, 0.3)
    turned = shared_out(jobs[::-1], 0.2, 0.3)
    assert {split: {job["key"] for job in found} for split, found in turned.items()} == keys


def test_without_a_share_for_it_there_is_no_test() -> None:
    assert list(shared_out([{"key": name} for name in NAMES], 0.2, 0.0)) == ["train", "val"]


@pytest.mark.parametrize(
    "shares", [(1.0, 0.0), (-0.1, 0.0), (math.nan, 0.0), (0.1, math.inf), (0.5, 0.5), (0.1, 1.5), (0.0, 1.0)]
)
def test_shares_that_leave_nothing_to_train_on_or_are_none_are_refused(shares: tuple[float, float]) -> None:
    for refuse in (check_shares, lambda val, test: shared_out([{"key": "a"}], val, test)):
        with pytest.raises(InputError, match=r"_share is .*; set it to at least 0 and below 1"):
            refuse(*shares)
    check_shares(0.0, 0.0)
    check_shares(0.5, 0.4)


def test_a_clash_of_keys_names_both_files() -> None:
    refuse_clashes([("a", "1"), ("b", "2")])
    with pytest.raises(InputError, match=r"^1 and 3: both become the clip a; rename one of them"):
        refuse_clashes([("a", "1"), ("b", "2"), ("a", "3")])


def test_a_clip_whose_name_has_a_blank_keeps_its_split() -> None:
    old = [{"key": re.sub("[^A-Za-z0-9_-]", "_", name)} for name in NAMES]
    new = [{"key": safe_key(name)} for name in NAMES]
    for (split, one), (_, other) in zip(
        shared_out(old, 0.2, 0.3).items(), shared_out(new, 0.2, 0.3).items(), strict=True
    ):
        assert [old.index(job) for job in one] == [new.index(job) for job in other], split
