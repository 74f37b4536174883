"""Buckets of equal codes: to find who shares one takes time for the matches, not for all pairs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 1 << 18  # matches that are handed over together, so that a crowded bucket takes little memory


class Buckets:
    """Items by a code of each.

    Args:
        code_N: Codes, unsigned; several items may have one.
        item_N: Number of each item.
        crowd: Most items of a bucket; a fuller one tells nothing and is left out. None keeps all.
    """

    def __init__(self, code_N: NDArray[Any], item_N: NDArray[Any], crowd: int | None = None) -> None:
        order_N = np.argsort(code_N, kind="stable")
        code_N, item_N = code_N[order_N], item_N[order_N]
        if crowd is not None:
            _, inverse_N, count_U = np.unique(code_N, return_inverse=True, return_counts=True)
            kept_N = count_U[inverse_N] <= crowd
            code_N, item_N = code_N[kept_N], item_N[kept_N]
        self.code_N, self.item_N = code_N, item_N

    def matches(
        self, other_M: NDArray[Any], asked_M: NDArray[np.bool_]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Positions of others and numbers of the items that have their codes, pair by pair, in parts.

        Args:
            other_M: Codes of others.
            asked_M: Which of them are asked for.
        """
        (position_M,) = np.nonzero(asked_M)
        first_M = np.searchsorted(self.code_N, other_M[position_M], "left")
        count_M = np.searchsorted(self.code_N, other_M[position_M], "right") - first_M
        end_M = np.cumsum(count_M)
        total = int(end_M[-1]) if len(end_M) else 0
        for start in range(0, total, AT_ONCE):
            pair_P = np.arange(start, min(total, start + AT_ONCE))
            owner_P = np.searchsorted(end_M, pair_P, "right")
            inside_P = pair_P - (end_M - count_M)[owner_P]
            yield position_M[owner_P], self.item_N[first_M[owner_P] + inside_P].astype(np.int64)


def ones(word_NW: NDArray[Any]) -> NDArray[np.int64]:
    """Number of bits that are set in each row of unsigned words."""
    byte_NB = np.ascontiguousarray(word_NW).view(np.uint8).reshape(len(word_NW), -1)
    count_N: NDArray[np.int64] = _ONES[byte_NB].sum(1, dtype=np.int64)
    return count_N


_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1)
