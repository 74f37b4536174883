"""How many items of a gallery are at least as near to a query as a given cosine, exactly and fast.

Cosines are float64 products of unit rows, rounded to float32: a product's rounding depends on its place in
the matrix, so that equal gallery items would beat each other in float32, while rounded afterwards they tie.
The float64 product of all pairs is slow; a float32 product whose error is bounded decides nearly all of them,
and the few that it cannot tell are asked again in float64, once for all criteria. Tiles of the product are
small enough to stay in a processor's cache while every criterion looks at them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sound2scene.scratch import IN_MEMORY, Scratch

CHUNK = 1024  # queries, and gallery items, at a time
_WIDTH = 128  # features in a part of a product: the shorter a sum, the smaller its error
_UNIT = 2.0**-24  # largest relative error of one rounding to float32
_ASKED_AGAIN = 1 / 64  # share of pairs above which a tile's float64 product is faster than single pairs
_PROBED = 16  # of so many pairs on a tile's diagonal, one is compared with its exact cosine
_ROWS = 1024  # pairs of rows that are multiplied at a time
_GATHERED = 2**18  # numbers of latents that are gathered at a time


class Criterion(NamedTuple):
    """Which pairs count.

    Attributes:
        least_N: Cosine from which on a pair counts, for each query (or each gallery item), float32.
        label_N: Labels of which a pair must have two different ones, -1 being none; None: all pairs count.
            No pair of one label may then be nearer than that cosine; see `best_of_class`.
    """

    least_N: Tensor
    label_N: Tensor | None = None


def cosines(query_ND: Tensor, gallery_ND: Tensor) -> Tensor:
    """Cosine of each two unit rows, float64 products rounded to float32 (N,)."""
    found_N = torch.empty(len(query_ND), device=query_ND.device)
    for start in range(0, len(query_ND), _ROWS):
        rows = slice(start, start + _ROWS)
        found_N[rows] = (query_ND[rows] * gallery_ND[rows]).sum(1)
    return found_N


def best_of_class(query_ND: Tensor, gallery_ND: Tensor, label_N: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine to the nearest item of the other side that has the same label.

    Args:
        query_ND: Unit rows in float64.
        gallery_ND: As many.
        label_N: Label of both, -1 for none.

    Returns:
        That of each query, and that of each gallery item, float32 (N,); infinity where it has no label.
    """
    forth_N, back_N = torch.full((2, len(query_ND)), torch.inf, device=query_ND.device)
    for label in torch.unique(label_N[label_N >= 0]):
        same_M = (label_N == label).nonzero()[:, 0]
        query_MD, gallery_MD = query_ND[same_M], gallery_ND[same_M]
        forth_M, back_M = torch.full((2, len(same_M)), -torch.inf, device=query_ND.device)
        for rows in _parts(len(same_M)):
            cosine_BM = query_MD[rows] @ gallery_MD.T
            forth_M[rows] = cosines(query_MD[rows], gallery_MD[cosine_BM.argmax(1)])
            nearest_M = cosine_BM.argmax(0)
            back_M = torch.maximum(back_M, cosines(query_MD[rows][nearest_M], gallery_MD))
        forth_N[same_M], back_N[same_M] = forth_M, back_M
    return forth_N, back_N


def counts(
    query_ND: Tensor,
    gallery_ND: Tensor,
    of_queries: Sequence[Criterion] = (),
    of_gallery: Sequence[Criterion] = (),
    scratch: Scratch = IN_MEMORY,
) -> tuple[list[Tensor], list[Tensor]]:
    """How many gallery items meet each criterion of a query, and how many queries each of a gallery item.

    Args:
        query_ND: Unit rows in float64.
        gallery_ND: As many.
        of_queries: Criteria of the queries.
        of_gallery: Criteria of the gallery items.
        scratch: Room for the rows of both in float32.

    Returns:
        Counts (N,), int64, for each criterion.
    """
    forth, back = [_Tally(one, 0) for one in of_queries], [_Tally(one, 1) for one in of_gallery]
    single = None
    if query_ND.device.type == "cpu":
        single = (
            scratch.zeros(*query_ND.shape).copy_(query_ND),
            scratch.zeros(*gallery_ND.shape).copy_(gallery_ND),
        )
    # One piece of memory for all tiles: a new one of each would be handed out by the system page by page.
    work = _Work(min(CHUNK, len(query_ND)) * min(CHUNK, len(gallery_ND)))
    for rows in _parts(len(query_ND)):
        for columns in _parts(len(gallery_ND)):
            sides = None if single is None else (single[0][rows], single[1][columns])
            tile = _Tile(query_ND[rows], gallery_ND[columns], sides, work)
            tile.count([*forth, *back], (rows, columns))
    return [one.count_N for one in forth], [one.count_N for one in back]


def _parts(size: int) -> Iterator[slice]:
    for start in range(0, size, CHUNK):
        yield slice(start, start + CHUNK)


def _differ(label: Tensor, other: Tensor) -> Tensor:
    """Which pairs have two different labels."""
    return (label != other) & (label >= 0) & (other >= 0)


class _Tally:
    """Counts of a criterion.

    Args:
        criterion: The criterion.
        axis: 0 where it is one of the queries, which are the rows of a tile; 1 of gallery items, its columns.
    """

    def __init__(self, criterion: Criterion, axis: int) -> None:
        self.least_N, self.label_N = criterion
        self.axis, self.count_N = axis, torch.zeros_like(self.least_N, dtype=torch.int64)
        self.has_unlabelled = self.label_N is not None and bool((self.label_N < 0).any())

    def least(self, sides: tuple[slice, slice]) -> Tensor:
        """Its cosines for a tile, (B, 1) or (1, C)."""
        return self.least_N[sides[self.axis]].unsqueeze(1 - self.axis)

    def above(self, above_BC: Tensor, sides: tuple[slice, slice]) -> Tensor:
        """Sums over a tile of pairs, as 0 and 1, that certainly reach the cosine; none is of one label."""
        if self.has_unlabelled:
            assert self.label_N is not None
            known = (self.label_N[sides[1 - self.axis]] >= 0).unsqueeze(self.axis)
            above_BC = above_BC * known
        return above_BC.sum(1 - self.axis).to(torch.int64)

    def add_pairs(self, exact_P: Tensor, is_near_P: Tensor, row_P: Tensor, column_P: Tensor) -> None:
        """Count those of single pairs that were not counted above, by their exact cosines."""
        place_P = (row_P, column_P)[self.axis]
        met_P = is_near_P & (exact_P >= self.least_N[place_P])
        if self.label_N is not None:
            met_P &= _differ(self.label_N[row_P], self.label_N[column_P])
        self.count_N.index_add_(0, place_P, met_P.to(torch.int64))


class _Work:
    """Memory for one tile, float32.

    Args:
        pairs: Most pairs of a tile.
    """

    def __init__(self, pairs: int) -> None:
        self._all = torch.empty(4, pairs)

    def matrices(self, rows: int, columns: int) -> list[Tensor]:
        """Four matrices (B, C), which hold whatever the last tile left in them."""
        return [one[: rows * columns].view(rows, columns) for one in self._all]


class _Tile:
    """Some queries against some of the gallery.

    Args:
        query_BD: Unit rows of the queries.
        gallery_CD: Unit rows of the gallery items.
        single: Both in float32, where a product of these is worth while.
        work: Memory for it; it is no other tile's as long as this one is used.
    """

    def __init__(
        self, query_BD: Tensor, gallery_CD: Tensor, single: tuple[Tensor, Tensor] | None, work: _Work
    ) -> None:
        self.query_BD, self.gallery_CD, self.slack = query_BD, gallery_CD, 0.0
        if single is not None:
            self.cosine_BC, *self.work = work.matrices(len(query_BD), len(gallery_CD))
            _product(*single, self.cosine_BC)
            # Sums of parts and of their sums; unit rows have products whose absolute values sum to 1 at most.
            self.slack = (_WIDTH + -(-query_BD.shape[1] // _WIDTH) + 8) * _UNIT
            pairs = slice(0, min(len(query_BD), len(gallery_CD)), _PROBED)
            exact_P = cosines(query_BD[pairs], gallery_CD[pairs])
            # Settings of torch may let float32 products be less than that.
            if (self.cosine_BC.diagonal()[::_PROBED] - exact_P).abs().max() > self.slack:
                self.slack = 0.0

    def count(self, tallies: Sequence[_Tally], sides: tuple[slice, slice]) -> None:
        """Add what this tile, whose rows and columns are given, holds to all counts."""
        if not self.slack or not self._counted(tallies, sides):
            exact_BC = (self.query_BD @ self.gallery_CD.T).float()
            for tally in tallies:
                met_BC = exact_BC >= tally.least(sides)
                if tally.label_N is not None:
                    met_BC &= _differ(tally.label_N[sides[0], None], tally.label_N[sides[1]])
                tally.count_N[sides[tally.axis]] += met_BC.sum(1 - tally.axis)

    def _counted(self, tallies: Sequence[_Tally], sides: tuple[slice, slice]) -> bool:
        """Count by the float32 product, unless it cannot tell too many pairs."""
        # Comparisons whose result is a float, and sums of these, are several times as fast as with booleans.
        near_BC, above_BC, reached_BC = self.work
        near_BC.zero_()
        aboves = []
        for tally in tallies:
            least = tally.least(sides)
            torch.gt(self.cosine_BC, least + self.slack, out=above_BC)
            torch.ge(self.cosine_BC, least - self.slack, out=reached_BC)
            near_BC += reached_BC.sub_(above_BC)
            aboves.append(tally.above(above_BC, sides))
        near_B = near_BC.sum(1)
        if near_B.sum() > _ASKED_AGAIN * near_BC.numel():
            return False
        for tally, above in zip(tallies, aboves, strict=True):
            tally.count_N[sides[tally.axis]] += above
        some_S = near_B.nonzero()[:, 0]
        in_some_P, column_P = near_BC[some_S].nonzero(as_tuple=True)
        self._ask_again(tallies, sides, some_S[in_some_P], column_P)
        return True

    def _ask_again(
        self, tallies: Sequence[_Tally], sides: tuple[slice, slice], row_P: Tensor, column_P: Tensor
    ) -> None:
        step = max(_GATHERED // self.query_BD.shape[1], 1)
        for row_Q, column_Q in zip(torch.split(row_P, step), torch.split(column_P, step), strict=True):
            exact_Q = cosines(self.query_BD[row_Q], self.gallery_CD[column_Q])
            cosine_Q, ends = self.cosine_BC[row_Q, column_Q], (row_Q, column_Q)
            places = (row_Q + sides[0].start, column_Q + sides[1].start)
            for tally in tallies:
                least_Q = tally.least(sides).flatten()[ends[tally.axis]]
                is_near_Q = (cosine_Q >= least_Q - self.slack) & (cosine_Q <= least_Q + self.slack)
                tally.add_pairs(exact_Q, is_near_Q, *places)


def _product(query_BD: Tensor, gallery_CD: Tensor, cosine_BC: Tensor) -> None:
    """Write the float32 product, in parts of few features each."""
    with torch.autocast("cpu", enabled=False):
        torch.mm(query_BD[:, :_WIDTH], gallery_CD[:, :_WIDTH].T, out=cosine_BC)
        for start in range(_WIDTH, query_BD.shape[1], _WIDTH):
            part = slice(start, start + _WIDTH)
            cosine_BC.addmm_(query_BD[:, part], gallery_CD[:, part].T)
