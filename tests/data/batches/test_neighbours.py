import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sound2scene.data.batches import neighbours
from sound2scene.data.batches.features import FeatureCache
from sound2scene.data.batches.neighbours import cached_nearest, nearest
from sound2scene.types import InputError


def features(count: int, width: int = 5, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


@pytest.mark.parametrize(("count", "k"), [(2, 1), (9, 3), (40, 39)])
def test_neighbours_equal_sorting_all_distances_of_unit_rows(
    count: int, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "CHUNK", 7)
    z = features(count)
    unit = z.astype(np.float64) / np.linalg.norm(z.astype(np.float64), axis=1, keepdims=True)
    found = nearest(z, k)
    for row in range(count):
        distance = np.linalg.norm(unit - unit[row], axis=1)
        expected = [other for other in np.argsort(distance) if other != row][:k]
        assert found[row].tolist() == expected


def test_a_picture_is_never_its_own_neighbour_even_among_doubles() -> None:
    z = np.repeat(features(3), 6, axis=0)
    found = nearest(z, 4)
    assert not (found == np.arange(18)[:, None]).any()
    assert (found // 6 == np.arange(18)[:, None] // 6).all()
    assert all(len(set(row)) == 4 for row in found.tolist())


def test_length_of_features_does_not_matter() -> None:
    z = features(20)
    scale = np.random.default_rng(1).uniform(0.1, 10, (20, 1)).astype(np.float32)
    assert np.array_equal(nearest(z, 3), nearest(z * scale, 3))


@pytest.mark.parametrize("k", [0, 5, 6])
def test_too_many_neighbours_are_refused(k: int) -> None:
    with pytest.raises(InputError, match=r"5 pictures cannot have .* choose 1 to 4"):
        nearest(features(5), k)


def test_a_large_split_is_searched_by_the_library_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("faiss")
    z = features(50)
    expected = nearest(z, 6)
    monkeypatch.setattr(neighbours, "_LIBRARY_ABOVE", 10)
    assert np.array_equal(nearest(z, 6), expected)


def test_a_large_split_without_the_library_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_LIBRARY_ABOVE", 10)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(InputError, match=r"pip install 'sound2scene\[faiss\]'"):
        nearest(features(50), 6)


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    """Thirty features on disk."""
    found = FeatureCache(tmp_path, "encoder", "preset", "data", 30)
    found.write(0, torch.from_numpy(features(30)))
    return found


def test_neighbours_are_computed_once_for_each_number_of_them_and_kept_beside_the_features(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, more = cached_nearest(cache, 4), cached_nearest(cache, 5)
    monkeypatch.setattr(neighbours, "nearest", None)  # asked again, it would fail
    assert np.array_equal(cached_nearest(cache, 4), first)
    assert np.array_equal(first, nearest(features(30), 4))
    assert np.array_equal(more, nearest(features(30), 5))
    written = {path.name for path in cache.folder.iterdir()}
    assert written == {"000000.npy", "neighbours-4.npy", "neighbours-5.npy"}


def test_the_first_rank_searches_and_the_others_wait_for_its_result(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[int] = []
    nearest_of = neighbours.nearest_of

    def searching(query_QD: torch.Tensor, unit_ND: torch.Tensor, count: int) -> torch.Tensor:
        searched.append(neighbours.world()[0])
        return nearest_of(query_QD, unit_ND, count)

    def first_rank() -> None:
        monkeypatch.setattr(neighbours, "barrier", lambda: None)
        monkeypatch.setattr(neighbours, "world", lambda: (0, 2))
        cached_nearest(cache, 4)

    expected = nearest(features(30), 4)
    monkeypatch.setattr(neighbours, "nearest_of", searching)
    monkeypatch.setattr(neighbours, "world", lambda: (1, 2))
    monkeypatch.setattr(neighbours, "barrier", first_rank)
    assert np.array_equal(cached_nearest(cache, 4), expected)
    assert searched == [0]


def test_a_node_without_a_shared_disk_searches_too(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "world", lambda: (1, 2))
    monkeypatch.setattr(neighbours, "barrier", lambda: None)
    assert np.array_equal(cached_nearest(cache, 4), nearest(features(30), 4))


@pytest.mark.parametrize(
    "damage", [np.zeros((30, 3), np.int32), np.full((30, 4), 30, np.int32), np.zeros((30, 4)), None]
)
def test_damaged_neighbours_are_named_and_computed_again(
    cache: FeatureCache, damage: NDArray[np.generic] | None
) -> None:
    path = cache.folder / "neighbours-4.npy"
    path.write_bytes(b"garbage")
    if damage is not None:
        np.save(path, damage)
    with pytest.warns(UserWarning, match=r"neighbours-4\.npy: damaged; it is computed again"):
        found = cached_nearest(cache, 4)
    assert np.array_equal(found, nearest(features(30), 4))


def test_few_cosines_are_in_memory_at_a_time_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    z = features(60)
    expected = nearest(z, 5)
    sizes: list[int] = []
    topk = torch.Tensor.topk

    def watched(self: torch.Tensor, *rest: int, **named: int) -> tuple[torch.Tensor, torch.Tensor]:
        sizes.append(self.numel())
        return topk(self, *rest, **named)

    monkeypatch.setattr(torch.Tensor, "topk", watched)
    monkeypatch.setattr(neighbours, "_PRODUCTS", 7 * 60)
    assert np.array_equal(nearest(z, 5), expected)
    assert max(sizes) == 7 * 60
    assert sum(sizes) == 60 * 60


def test_neighbours_of_a_cache_need_its_features_in_memory_once(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, "e", "p", "d", 1000, 256)
    for block in range(cache.blocks):
        cache.write(block, torch.from_numpy(features(len(cache.positions(block)), 256, seed=block)))
    expected = nearest(np.concatenate([cache.rows(block) for block in range(cache.blocks)]), 3)
    tracemalloc.start()
    found = cached_nearest(cache, 3)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(found, expected)
    assert most < 1.6 * 4 * 1000 * 256
