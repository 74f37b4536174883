import numpy as np
import pytest

from sound2scene.data.duplicates import buckets
from sound2scene.data.duplicates.buckets import Buckets, ones


def pairs(found: Buckets, other_M: np.ndarray, asked_M: np.ndarray) -> list[tuple[int, int]]:
    return sorted(
        (int(other), int(item))
        for other_P, item_P in found.matches(other_M, asked_M)
        for other, item in zip(other_P, item_P, strict=True)
    )


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_every_pair_of_equal_codes_is_found_once(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    code_N, other_M = rng.integers(0, 9, 40).astype(np.uint32), rng.integers(0, 12, 30).astype(np.uint32)
    item_N, asked_M = rng.permutation(40), rng.random(30) < 0.7
    slow = sorted(
        (other, int(item_N[here]))
        for other in range(30)
        for here in range(40)
        if asked_M[other] and code_N[here] == other_M[other]
    )
    assert pairs(Buckets(code_N, item_N), other_M, asked_M) == slow


def test_a_crowded_bucket_is_left_out() -> None:
    code_N = np.array([5, 5, 5, 6, 6], np.uint32)
    found = pairs(Buckets(code_N, np.arange(5), crowd=2), np.array([5, 6], np.uint32), np.ones(2, bool))
    assert found == [(1, 3), (1, 4)]


def test_nothing_is_found_among_nothing() -> None:
    empty = np.zeros(0, np.uint32)
    assert pairs(Buckets(empty, empty, crowd=3), np.array([5], np.uint32), np.ones(1, bool)) == []
    assert pairs(Buckets(np.array([5], np.uint32), np.zeros(1)), empty, np.zeros(0, bool)) == []


def test_bits_are_counted_by_rows() -> None:
    assert ones(np.array([[0, 1], [2**64 - 1, 3]], np.uint64)).tolist() == [1, 66]
