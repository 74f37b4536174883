import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from sound2scene.lightning import (
    ResumedLog,
    allow_unused_parameters,
    batches_begun,
    batches_trained,
    counted_optimizers,
    data_of,
    device_of,
    facts_of,
    is_dry_run,
    moved,
    plain_optimizers,
    steps_logged,
)
from sound2scene.types import CropBatch, DataFacts, FeatureBatch, InputError


class Numbers(pl.LightningDataModule):
    """Batches of one number; five in an epoch."""

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader([torch.ones(1)] * 5)


class TellingNumbers(Numbers):
    """The same from someone who has something to tell."""

    def facts(self) -> DataFacts:
        return DataFacts(("one", "two"))


class Stage(pl.LightningModule):
    """Two weights, of which each batch needs the first alone; notes what a function says at every batch."""

    def __init__(self, look: Any = None, fail_at: int | None = None) -> None:
        super().__init__()
        self.used, self.unused = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
        self.look, self.fail_at = look or (lambda trainer: None), fail_at
        self.seen: list[Any] = []

    def training_step(self, batch: Tensor, batch_index: int) -> Tensor:
        self.seen.append(self.look(self.trainer))
        if len(self.seen) == self.fail_at:
            raise ZeroDivisionError("stopped on purpose")
        return (self.used * batch).sum()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD([self.used, self.unused], 0.1)


class TwoOptimizers(Stage):
    """One optimizer for each weight, both stepped by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Tensor, batch_index: int) -> None:
        for optimizer in plain_optimizers(self):
            optimizer.step()
        self.seen.append(self.trainer.global_step)
        counted_optimizers(self)[0].step()

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD([self.used], 0.1), torch.optim.SGD([self.unused], 0.1)]


def trainer_for(folder: Path, **settings: Any) -> pl.Trainer:
    defaults: dict[str, Any] = {"max_epochs": 2, "accelerator": "cpu", "devices": 1, "logger": False}
    defaults |= {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    return pl.Trainer(default_root_dir=folder, **(defaults | settings))


def test_the_data_is_the_datamodule_that_was_fitted_on(tmp_path: Path) -> None:
    data, stage = Numbers(), Stage(data_of)
    trainer_for(tmp_path).fit(stage, data)
    assert stage.seen == [data] * 10


def test_a_run_without_a_datamodule_is_refused_in_one_line(tmp_path: Path) -> None:
    line = "^a stage trains on a LightningDataModule; give one as `data`$"
    with pytest.raises(InputError, match=line):
        data_of(trainer_for(tmp_path))
    with pytest.raises(InputError, match=line):
        trainer_for(tmp_path).fit(Stage(data_of), DataLoader([torch.ones(1)]))


def test_facts_are_what_the_data_tells_and_nothing_where_it_tells_nothing(tmp_path: Path) -> None:
    for data, expected in ((TellingNumbers(), DataFacts(("one", "two"))), (Numbers(), DataFacts())):
        stage = Stage(facts_of)
        trainer_for(tmp_path, max_epochs=1).fit(stage, data)
        assert stage.seen == [expected] * 5


def test_the_device_is_known_before_the_model_is_there(tmp_path: Path) -> None:
    class Data(Numbers):
        def setup(self, stage: str) -> None:
            assert self.trainer is not None
            self.device = device_of(self.trainer)

    data, stage = Data(), Stage()
    trainer_for(tmp_path, max_epochs=1).fit(stage, data)
    assert data.device == stage.device == torch.device("cpu")


@pytest.mark.parametrize(("setting", "expected"), [(False, False), (True, True), (2, True), (0, False)])
def test_a_dry_run_is_known_however_many_batches_it_tries(
    setting: bool | int, expected: bool, tmp_path: Path
) -> None:
    stage = Stage(is_dry_run)
    trainer_for(tmp_path, fast_dev_run=setting, max_epochs=1).fit(stage, Numbers())
    assert set(stage.seen) == {expected}


def test_batches_are_counted_when_they_begin_and_when_they_end_over_all_resumed_runs(tmp_path: Path) -> None:
    def counts(trainer: pl.Trainer) -> tuple[int, int]:
        return batches_begun(trainer), batches_trained(trainer)

    first, saved = Stage(counts), tmp_path / "first.ckpt"
    trainer = trainer_for(tmp_path, max_epochs=-1, max_steps=7)
    trainer.fit(first, Numbers())
    assert first.seen == [(number + 1, number) for number in range(7)]
    assert counts(trainer) == (7, 7)
    trainer.save_checkpoint(saved)
    second = Stage(counts)
    trainer_for(tmp_path, max_epochs=-1, max_steps=9).fit(second, Numbers(), ckpt_path=saved)
    assert second.seen == [(8, 7), (9, 8)]


def test_a_batch_that_an_exception_interrupted_was_begun_and_not_trained_on(tmp_path: Path) -> None:
    trainer = trainer_for(tmp_path)
    with pytest.raises(ZeroDivisionError):
        trainer.fit(Stage(fail_at=4), Numbers())
    assert (batches_begun(trainer), batches_trained(trainer)) == (4, 3)


def test_only_the_counted_optimizer_advances_the_global_step(tmp_path: Path) -> None:
    stage = TwoOptimizers()
    trainer = trainer_for(tmp_path, max_epochs=1)
    trainer.fit(stage, Numbers())
    assert stage.seen == list(range(5))
    assert trainer.global_step == 5


@pytest.mark.parametrize(("stage", "count"), [(Stage, 1), (TwoOptimizers, 2)])
def test_optimizers_come_as_a_list_however_many_there_are(
    stage: type[Stage], count: int, tmp_path: Path
) -> None:
    module = stage()
    trainer_for(tmp_path, max_epochs=1).fit(module, Numbers())
    plain, counted = plain_optimizers(module), counted_optimizers(module)
    assert [type(one) for one in plain] == [torch.optim.SGD] * count
    assert [one.optimizer for one in counted] == plain


@pytest.fixture
def _world_of_one(tmp_path: Path) -> Iterator[None]:
    # Lightning takes the group that is there; a file instead of a port: nothing else can take it.
    dist.init_process_group("gloo", f"file://{tmp_path / 'meeting'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


class TakesTurns(Stage):
    """Asks DDP to bear that a weight is left out."""

    def setup(self, stage: str) -> None:
        allow_unused_parameters(self.trainer)


@pytest.mark.usefixtures("_world_of_one")
@pytest.mark.parametrize(
    ("stage", "given", "expected"),
    [(Stage, {}, False), (TakesTurns, {}, True), (TakesTurns, {"find_unused_parameters": False}, False)],
)
def test_ddp_bears_unused_parameters_where_it_was_asked_to_and_the_recipe_does_not_forbid_it(
    stage: type[Stage], given: dict[str, bool], expected: bool, tmp_path: Path
) -> None:
    def bears(trainer: pl.Trainer) -> bool:
        wrapped = trainer.strategy.model
        assert isinstance(wrapped, DistributedDataParallel)
        return wrapped.find_unused_parameters

    module = stage(bears)
    trainer_for(tmp_path, strategy=DDPStrategy(**given), max_steps=1).fit(module, Numbers())
    assert module.seen == [expected]


def test_a_run_of_one_process_needs_no_leave_for_unused_parameters(tmp_path: Path) -> None:
    module = TakesTurns(lambda trainer: type(trainer.strategy).__name__)
    trainer_for(tmp_path, max_steps=1).fit(module, Numbers())
    assert module.seen == ["SingleDeviceStrategy"]


def test_a_batch_moves_with_all_its_tensors_and_stays_what_it_is() -> None:
    away = torch.device("meta")
    batch = FeatureBatch(["a"], torch.ones(1), torch.ones(1), torch.ones(1, 2))
    there = moved(batch, away)
    assert isinstance(there, FeatureBatch)
    assert there.key == ["a"]
    assert {field.device for field in there if isinstance(field, Tensor)} == {away}
    crops = moved(CropBatch(["a"], (torch.ones(1, 3, 4, 4), torch.ones(2, 3, 2, 2))), away)
    assert isinstance(crops, CropBatch)
    assert [part.device for part in crops.crops] == [away, away]
    assert moved(batch, torch.device("cpu")).index_B is batch.index_B


def test_a_log_that_goes_on_keeps_what_does_not_come_again(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"log_every_n_steps": 1, "max_epochs": 1}

    class Logging(Stage):
        def training_step(self, batch: Tensor, batch_index: int) -> Tensor:
            self.log("loss", float(self.global_step))
            return super().training_step(batch, batch_index)

    trainer = trainer_for(tmp_path, logger=CSVLogger(tmp_path, "", "run"), **settings)
    trainer.fit(Logging(), Numbers())
    path = tmp_path / "run" / "metrics.csv"
    whole = path.read_text()
    assert whole.count("\n") == 6
    log = ResumedLog(tmp_path / "run", 3)
    assert log.log_dir == str(tmp_path / "run")
    log.log_metrics({"loss": 7.0, "other": 1.0}, 3)
    log.save()
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["loss"] for row in rows] == ["0.0", "1.0", "2.0", "7.0"]


def test_the_steps_of_a_state_within_an_epoch_are_those_that_were_logged(tmp_path: Path) -> None:
    class Saving(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
            trainer.save_checkpoint(tmp_path / f"{trainer.global_step}.ckpt", weights_only=False)

    trainer_for(tmp_path, max_epochs=1, callbacks=[Saving()]).fit(Stage(), Numbers())
    for step in (1, 3):
        assert steps_logged(torch.load(tmp_path / f"{step}.ckpt", weights_only=True)) == step
