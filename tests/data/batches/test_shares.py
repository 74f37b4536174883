from collections.abc import Callable

import pytest
from torch.utils.data import Dataset

from sound2scene.data.batches import shares
from sound2scene.data.batches.shares import ShareModule


class Squares(Dataset[int]):
    def __init__(self, items: list[int]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, item: int) -> int:
        return self.items[item] ** 2


class SquareModule(ShareModule[int, int]):
    def dataset(self, items: list[int]) -> Squares:
        return Squares(items)


def of_rank(rank: int, ranks: int) -> Callable[[], tuple[int, int]]:
    return lambda: (rank, ranks)


@pytest.mark.parametrize(("items", "ranks"), [(5, 1), (5, 2), (6, 3), (2, 3), (0, 2)])
def test_processes_share_the_items_none_twice_and_none_lost(
    items: int, ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for rank in range(ranks):
        monkeypatch.setattr(shares, "world", of_rank(rank, ranks))
        found.append(list(SquareModule(range(items), workers=0).predict_dataloader()))
    assert sorted(one for part in found for one in part) == [item**2 for item in range(items)]
    assert max(map(len, found)) - min(map(len, found)) <= 1
