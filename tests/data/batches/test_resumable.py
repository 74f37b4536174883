import multiprocessing
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
import pytorch_lightning as pl

from sound2scene.data.batches.resumable import ResumableDataModule
from sound2scene.data.batches.sampler import Draw, EpochSampler, WholeSplitSampler
from sound2scene.types import InputError


class Numbers:
    """Items that are their own draws."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, draw: Draw) -> Draw:
        return draw

    def collate(self, items: list[Draw]) -> list[Draw]:
        return items


def test_training_reads_whole_batches_of_every_item_and_evaluation_the_rest_too() -> None:
    data = ResumableDataModule(batch_size=3, workers=0, seed=1)
    batches: list[list[Draw]] = list(data._loader(Numbers(10), data._epochs(10)))
    assert [len(batch) for batch in batches] == [3, 3, 3]
    assert len({draw.position for batch in batches for draw in batch}) == 9
    whole = list(data._loader(Numbers(10), WholeSplitSampler(10, 0, 1)))
    assert [len(batch) for batch in whole] == [3, 3, 3, 1]
    singly = data._loader(Numbers(4), WholeSplitSampler(4, 0, 1), batch_size=1)
    assert [len(batch) for batch in singly] == [1] * 4


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_live_from_epoch_to_epoch_and_change_nothing(workers: int) -> None:
    data = ResumableDataModule(batch_size=3, workers=workers, seed=1)
    loader = data._loader(Numbers(10), WholeSplitSampler(10, 0, 1))
    assert loader.persistent_workers == (workers > 0)
    assert [draw.position for batch in loader for draw in batch] == list(range(10))


@pytest.mark.parametrize("workers", [0, 1])
def test_an_iterator_made_before_the_state_is_restored_still_begins_there(workers: int) -> None:
    data = ResumableDataModule(batch_size=3, workers=workers, seed=1)
    stands = [(0, 0)]
    sampler = EpochSampler(12, 3, 1, 0, 1, where=lambda: stands[-1])
    batches = iter(data._loader(Numbers(12), sampler))
    stands.append((5, 2))
    assert [{draw.epoch for draw in batch} for batch in batches] == [{5}, {5}]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_costs_no_batch(number: int) -> None:
    data = ResumableDataModule(batch_size=1, workers=1, seed=1)
    loader = data._loader(Numbers(40), WholeSplitSampler(40, 0, 1))
    batches = iter(loader)
    read = [next(batches)]
    (worker,) = multiprocessing.active_children()
    # From another process: one from its parent would end it.
    subprocess.run([sys.executable, "-c", f"import os; os.kill({worker.pid}, {int(number)})"], check=True)
    read += batches
    assert [draw.position for batch in read for draw in batch] == list(range(40))
    assert worker.is_alive()


@pytest.mark.parametrize(("batch_size", "workers"), [(0, 0), (1, -1)])
def test_numbers_that_make_no_sense_are_refused(batch_size: int, workers: int) -> None:
    with pytest.raises(InputError, match=r"^data\.(batch_size is 0|workers is -1); set it to between"):
        ResumableDataModule(batch_size, workers, 0)


def test_nobody_counted_what_a_source_should_hold() -> None:
    assert ResumableDataModule(1, 0, 0).coverage() == {}


def test_data_that_no_trainer_runs_on_stands_at_its_beginning() -> None:
    state = ResumableDataModule(4, 0, 0).state_dict()
    assert state == {"epoch": 0, "batch": 0, "trained": 0, "global_batch": 4}


def test_a_checkpoint_within_an_epoch_holds_for_its_global_batch_alone() -> None:
    state: dict[str, Any] = {"epoch": 2, "batch": 1, "trained": 7, "global_batch": 4}
    data = ResumableDataModule(4, 0, 0)
    data.load_state_dict(state)
    with pytest.raises(InputError, match="mid-epoch with a global batch of 4, not 3"):
        ResumableDataModule(3, 0, 0).load_state_dict(state)
    ResumableDataModule(3, 0, 0).load_state_dict(state | {"batch": 0})


def test_lightning_can_make_the_loader_anew_for_prediction() -> None:
    class Data(ResumableDataModule):
        def predict_dataloader(self) -> Any:
            return self._loader(Numbers(5), WholeSplitSampler(5, 0, 1))

    class Echo(pl.LightningModule):
        def predict_step(self, batch: list[Draw], batch_index: int) -> list[int]:
            return [draw.position for draw in batch]

    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    assert trainer.predict(Echo(), Data(2, 0, 0)) == [[0, 1], [2, 3], [4]]
