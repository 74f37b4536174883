import pytest

from sound2scene.data.corpora.corpus import held_out, shared_out

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
