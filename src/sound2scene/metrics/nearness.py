"""How many items of a gallery are at least as near to a query as a given cosine, exactly and fast.

Cosines are float64 products of unit rows, rounded to float32: a product's rounding depends on its place in
the matrix, so that equal gallery items would beat each other in float32, while rounded afterwards they tie.
The float64 product of all pairs is slow; a float32 product whose error is bounded decides nearly all of them,
and the few that it cannot tell are asked again in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

CHUNK = 1024  # queries at a time
_WIDTH = 128  # features in a part of a product: the shorter a sum, the smaller its error
_UNIT = 2.0**-24  # largest relative error of one rounding to float32
_ASKED_AGAIN = 1 / 64  # share of pairs above which a block's float64 product is faster than single pairs
_GATHERED = 2**22  # numbers of latents that are gathered at a time


class Criterion(NamedTuple):
    """Which pairs count.

    Attributes:
        least_N: Cosine from which on a pair counts, for each query (or each gallery item), float32.
        label_N: Labels of which a pair must have two different ones, -1 being none; None: all pairs count.
    """

    least_N: Tensor
    label_N: Tensor | None = None


def cosines(query_ND: Tensor, gallery_ND: Tensor) -> Tensor:
    """Cosine of each two unit rows, float64 products rounded to float32 (N,)."""
    return (query_ND * gallery_ND).sum(1).float()


def best_of_class(query_ND: Tensor, gallery_ND: Tensor, label_N: Tensor) -> Tensor:
    """Cosine of each query to the nearest item of its label, float32 (N,); infinity where it has none."""
    best_N = torch.full((len(query_ND),), torch.inf, device=query_ND.device)
    for label in torch.unique(label_N[label_N >= 0]):
        same_M = (label_N == label).nonzero()[:, 0]
        for row_B in same_M.split(1024):
            nearest_B = same_M[(query_ND[row_B] @ gallery_ND[same_M].T).argmax(1)]
            best_N[row_B] = cosines(query_ND[row_B], gallery_ND[nearest_B])
    return best_N


def counts(
    query_ND: Tensor,
    gallery_ND: Tensor,
    of_queries: Sequence[Criterion] = (),
    of_gallery: Sequence[Criterion] = (),
) -> tuple[list[Tensor], list[Tensor]]:
    """How many gallery items meet each criterion of a query, and how many queries each of a gallery item.

    Args:
        query_ND: Unit rows in float64.
        gallery_ND: As many.
        of_queries: Criteria of the queries.
        of_gallery: Criteria of the gallery items.

    Returns:
        Counts (N,), int64, for each criterion.
    """
    size, device = len(query_ND), query_ND.device
    forth, back = (
        [torch.zeros(size, dtype=torch.int64, device=device) for _ in criteria]
        for criteria in (of_queries, of_gallery)
    )
    single = (query_ND.float(), gallery_ND.float()) if device.type == "cpu" else None
    for start in range(0, size, CHUNK):
        rows = slice(start, start + CHUNK)
        block = _Block(query_ND[rows], gallery_ND, start, single)
        for criterion, count_N in zip(of_queries, forth, strict=True):
            other_BN = _differ(criterion.label_N, rows)
            count_N[rows] = block.met(criterion.least_N[rows, None], other_BN).sum(1)
        for criterion, count_N in zip(of_gallery, back, strict=True):
            count_N.add_(block.met(criterion.least_N[None], _differ(criterion.label_N, rows)).sum(0))
    return forth, back


def _differ(label_N: Tensor | None, rows: slice) -> Tensor | None:
    """Which pairs of these rows have two different labels."""
    if label_N is None:
        return None
    label_B1 = label_N[rows, None]
    return (label_B1 != label_N) & (label_B1 >= 0) & (label_N >= 0)


class _Block:
    """Some queries against the whole gallery.

    Args:
        query_BD: Their unit rows.
        gallery_ND: All of the gallery.
        start: Position of the first of them.
        single: Queries and gallery in float32, where a product of these is worth while.
    """

    def __init__(
        self, query_BD: Tensor, gallery_ND: Tensor, start: int, single: tuple[Tensor, Tensor] | None
    ) -> None:
        self.query_BD, self.gallery_ND = query_BD, gallery_ND
        size, width = query_BD.shape
        self.slack = 0.0
        if single is not None:
            self.cosine_BN = _product(single[0][start : start + size], single[1])
            # Sums of parts and of their sums; unit rows have products whose absolute values sum to 1 at most.
            self.slack = (_WIDTH + -(-width // _WIDTH) + 8) * _UNIT
            own_B = cosines(query_BD, gallery_ND[start : start + size])
            # Settings of torch may let float32 products be less than that.
            if (self.cosine_BN.diagonal(offset=start) - own_B).abs().max() > self.slack:
                self.slack = 0.0
        if not self.slack:
            self.cosine_BN = (query_BD @ gallery_ND.T).float()

    def met(self, least: Tensor, other_BN: Tensor | None) -> Tensor:
        """Which pairs reach a cosine, bool (B, N).

        Args:
            least: The cosine, of each query (B, 1) or of each gallery item (1, N).
            other_BN: Which pairs count at all.
        """
        if not self.slack:
            met_BN = self.cosine_BN >= least
            return met_BN if other_BN is None else met_BN & other_BN
        met_BN = self.cosine_BN > least + self.slack
        near_BN = (self.cosine_BN >= least - self.slack) ^ met_BN
        if other_BN is not None:
            met_BN &= other_BN
            near_BN &= other_BN
        if int(near_BN.sum()) > _ASKED_AGAIN * near_BN.numel():
            return met_BN | (near_BN & ((self.query_BD @ self.gallery_ND.T).float() >= least))
        rows, columns = near_BN.nonzero(as_tuple=True)
        least = least.expand(near_BN.shape)
        for part in range(0, len(rows), step := max(_GATHERED // self.query_BD.shape[1], 1)):
            row_P, column_P = rows[part : part + step], columns[part : part + step]
            exact_P = cosines(self.query_BD[row_P], self.gallery_ND[column_P])
            met_BN[row_P, column_P] = exact_P >= least[row_P, column_P]
        return met_BN


def _product(query_BD: Tensor, gallery_ND: Tensor) -> Tensor:
    """The float32 product, in parts of few features each."""
    cosine_BN = query_BD.new_zeros(len(query_BD), len(gallery_ND))
    with torch.autocast("cpu", enabled=False):
        for start in range(0, query_BD.shape[1], _WIDTH):
            part = slice(start, start + _WIDTH)
            cosine_BN.addmm_(query_BD[:, part], gallery_ND[:, part].T)
    return cosine_BN
