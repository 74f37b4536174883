"""Who resembles whom: the k nearest pictures of each by z_image, never itself (IC-GAN, arXiv:2109.05070)."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sound2scene import files
from sound2scene.data.batches.features import FeatureCache
from sound2scene.distributed import barrier, world
from sound2scene.records import DAMAGES_OF_ARRAYS
from sound2scene.types import InputError

CHUNK = 1024
_PRODUCTS = 2**26  # cosines at a time, however many rows there are


_LIBRARY_ABOVE = 200_000


def nearest(z_ND: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    """Exact neighbours by L2 distance of unit rows, the row itself left out, nearest first.

    Up to 200,000 rows by matrix products; beyond by faiss, which is an extra (`pip install
    'sound2scene[faiss]'`).

    Returns:
        (N, k) row numbers.

    Raises:
        InputError: If there are not more than `k` rows, or faiss is needed and absent.
    """
    return _nearest((z_ND,), len(z_ND), k)


def _nearest(blocks: Iterable[NDArray[np.float32]], rows: int, k: int) -> NDArray[np.int32]:
    if not 1 <= k < rows:
        raise InputError(
            f"{rows} pictures cannot have {k} neighbours each; choose 1 to {rows - 1} for neighbours"
        )
    unit_ND = _unit(blocks, rows)
    found_NK = _by_library(unit_ND, k + 1) if rows > _LIBRARY_ABOVE else _by_products(unit_ND, k + 1)
    # Among exact doubles the row itself need not be among the first k + 1; then the last one goes.
    own_NK = found_NK == np.arange(rows)[:, None]
    own_NK[~own_NK.any(1), -1] = True
    others_NK: NDArray[np.int32] = found_NK[~own_NK].reshape(rows, k).astype(np.int32)
    return others_NK


def _unit(blocks: Iterable[NDArray[np.float32]], rows: int) -> NDArray[np.float32]:
    """Unit rows of all blocks, which are never in memory a second time."""
    unit_ND, start = np.empty((rows, 0), np.float32), 0
    for block_BD in blocks:
        if not start:
            unit_ND = np.empty((rows, block_BD.shape[1]), np.float32)
        for part_BD in np.split(block_BD, range(CHUNK, len(block_BD), CHUNK)):
            length_B1 = np.maximum(np.linalg.norm(part_BD, axis=1, keepdims=True), 1e-12)
            np.divide(part_BD, length_B1, out=unit_ND[start : start + len(part_BD)])
            start += len(part_BD)
    return unit_ND


def nearest_of(query_QD: Tensor, unit_ND: Tensor, count: int) -> Tensor:
    """The rows nearest to each query by L2 distance of unit rows, nearest first.

    Args:
        query_QD: Unit rows.
        unit_ND: Unit rows to search.
        count: How many to find for each.

    Returns:
        (Q, count) row numbers, int64.
    """
    step = min(CHUNK, max(_PRODUCTS // len(unit_ND), 1))
    parts = [(part @ unit_ND.T).topk(count, dim=1).indices for part in torch.split(query_QD, step)]
    return torch.cat(parts)


def _by_products(unit_ND: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    z_ND = torch.from_numpy(unit_ND)
    return nearest_of(z_ND, z_ND, count).numpy()


def _by_library(unit_ND: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    try:
        faiss = importlib.import_module("faiss")  # an extra
    except ImportError:
        raise InputError(
            f"{len(unit_ND)} pictures need faiss to find neighbours; pip install 'sound2scene[faiss]'"
        ) from None
    index = faiss.IndexFlatIP(unit_ND.shape[1])
    index.add(unit_ND)
    found: NDArray[np.int64] = index.search(unit_ND, count)[1]
    return found


def cached_nearest(features: FeatureCache, k: int) -> NDArray[np.int32]:
    """Neighbours of all clips of a split, computed once by the first rank and kept beside the features.

    Returns:
        (N, k), read through the page cache.
    """
    path = features.folder / f"neighbours-{k}.npy"
    if world()[0] == 0:
        _write_missing(path, features, k)
    barrier()
    _write_missing(path, features, k)  # nodes without a shared disk
    found_NK: NDArray[np.int32] = np.load(path, mmap_mode="r", allow_pickle=False)
    return found_NK


def _write_missing(path: Path, features: FeatureCache, k: int) -> None:
    if not _is_whole(path, features.clips, k):
        blocks = (features.rows(block) for block in range(features.blocks))
        _write(path, _nearest(blocks, features.clips, k))


def _is_whole(path: Path, clips: int, k: int) -> bool:
    """Whether there are neighbours of all clips; damage is warned of."""
    if not path.exists():
        return False
    try:
        found: NDArray[np.int32] = np.load(path, mmap_mode="r", allow_pickle=False)
        whole = found.dtype == np.int32 and found.shape == (clips, k)
        whole = whole and bool(((found >= 0) & (found < clips)).all())
    except DAMAGES_OF_ARRAYS:
        whole = False
    if not whole:
        warnings.warn(f"{path}: damaged; it is computed again", stacklevel=3)
    return whole


def _write(path: Path, found_NK: NDArray[np.int32]) -> None:
    with files.replacing(path) as partial, partial.open("wb") as file:
        np.save(file, found_NK)
