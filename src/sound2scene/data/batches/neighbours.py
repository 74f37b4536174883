"""Who resembles whom: the k nearest pictures of each by z_image, never itself (IC-GAN, arXiv:2109.05070)."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sound2scene import files
from sound2scene.data.batches.features import FeatureCache
from sound2scene.distributed import barrier, world
from sound2scene.records import DAMAGES_OF_ARRAYS
from sound2scene.types import InputError

CHUNK = 1024


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
    rows = len(z_ND)
    if not 1 <= k < rows:
        raise InputError(
            f"{rows} pictures cannot have {k} neighbours each; choose 1 to {rows - 1} for neighbours"
        )
    unit_ND = z_ND / np.maximum(np.linalg.norm(z_ND, axis=1, keepdims=True), 1e-12)
    found_NK = _by_library(unit_ND, k + 1) if rows > _LIBRARY_ABOVE else _by_products(unit_ND, k + 1)
    # Among exact doubles the row itself need not be among the first k + 1; then the last one goes.
    own_NK = found_NK == np.arange(rows)[:, None]
    own_NK[~own_NK.any(1), -1] = True
    others_NK: NDArray[np.int32] = found_NK[~own_NK].reshape(rows, k).astype(np.int32)
    return others_NK


def _by_products(unit_ND: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    z_ND = torch.from_numpy(unit_ND)
    parts = [(part @ z_ND.T).topk(count, dim=1).indices for part in torch.split(z_ND, CHUNK)]
    return torch.cat(parts).numpy()


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
    if world()[0] == 0 and not _is_whole(path, features.clips, k):
        z_ND = np.stack([features.row(position) for position in range(features.clips)])
        _write(path, nearest(z_ND, k))
    barrier()
    if not _is_whole(path, features.clips, k):  # nodes without a shared disk
        z_ND = np.stack([features.row(position) for position in range(features.clips)])
        _write(path, nearest(z_ND, k))
    found_NK: NDArray[np.int32] = np.load(path, mmap_mode="r", allow_pickle=False)
    return found_NK


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
