from typing import Any

import pytest

from sound2scene.data.batches.resumable import ResumableDataModule
from sound2scene.data.batches.sampler import Draw, WholeSplitSampler
from sound2scene.types import InputError


class Numbers:
    """Items that are their own draws."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, draw: Draw) -> Draw:
        return draw

    def collate(self, items: list[Any]) -> list[Any]:
        return items


def test_training_reads_whole_batches_of_every_item_and_evaluation_the_rest_too() -> None:
    data = ResumableDataModule(batch_size=3, workers=0, seed=1)
    batches = list(data._loader(Numbers(10), data._epochs(10)))
    assert [len(batch) for batch in batches] == [3, 3, 3]
    assert len({draw.position for batch in batches for draw in batch}) == 9
    whole = list(data._loader(Numbers(10), WholeSplitSampler(10, 0, 1)))
    assert [len(batch) for batch in whole] == [3, 3, 3, 1]
    assert [len(batch) for batch in data._loader(Numbers(4), WholeSplitSampler(4, 0, 1), batch_size=1)] == [
        1
    ] * 4


@pytest.mark.parametrize(("batch_size", "workers"), [(0, 0), (1, -1)])
def test_numbers_that_make_no_sense_are_refused(batch_size: int, workers: int) -> None:
    with pytest.raises(InputError, match=r"data.batch_size .* data.workers"):
        ResumableDataModule(batch_size, workers, 0)


def test_nobody_counted_what_a_source_should_hold() -> None:
    assert ResumableDataModule(1, 0, 0).coverage() == {}
