import os
import signal
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader

import forked
from sound2scene.callbacks.last_checkpoint import LastCheckpoint
from sound2scene.runs import LAST

BATCHES = 6


class Stage(pl.LightningModule):
    """One weight that grows by a tenth in each step; a signal may come within a given one."""

    def __init__(
        self, at: int | None = None, within: str = "training", number: int = signal.SIGINT, rank: int = 0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.at, self.within, self.number, self.rank = at, within, number, rank

    def training_step(self, batch: Tensor, batch_index: int) -> Tensor:
        if self.within == "training" and self.global_step == self.at and self.global_rank == self.rank:
            os.kill(os.getpid(), self.number)
        return -self.weight.sum()

    def validation_step(self, batch: Tensor, batch_index: int) -> None:
        if self.within == "validation" and self.global_step == self.at:
            os.kill(os.getpid(), signal.SIGINT)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.1)


class Seen(pl.Callback):
    """Notes the step of the state on disk at each batch."""

    def __init__(self, path: Path) -> None:
        self.path, self.steps = path, list[int | None]()

    def on_train_batch_start(self, *_: object) -> None:
        found = torch.load(self.path, weights_only=True)["global_step"] if self.path.exists() else None
        self.steps.append(found)


def fitted(folder: Path, stage: Stage, every: int, **settings: Any) -> tuple[Path, Seen]:
    """The checkpoint of a fit, and what was on disk meanwhile."""
    path = folder / "run" / "checkpoints" / LAST
    seen = Seen(path)
    batches = DataLoader([torch.ones(1)] * BATCHES)  # type: ignore[arg-type]
    settings = {"max_epochs": 1, "enable_progress_bar": False, "enable_model_summary": False} | settings
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=CSVLogger(folder, "", "run"),
        callbacks=[LastCheckpoint(every), seen],
        **settings,
    )
    trainer.fit(stage, batches, batches)
    return path, seen


def test_the_state_is_written_every_so_many_batches_and_after_validation(tmp_path: Path) -> None:
    path, seen = fitted(tmp_path, Stage(), 2)
    assert seen.steps == [None, None, 2, 2, 4, 4]
    assert torch.load(path, weights_only=True)["global_step"] == BATCHES
    assert [entry.name for entry in path.parent.iterdir()] == [LAST]


def test_a_run_without_validation_ends_with_its_last_state(tmp_path: Path) -> None:
    path, _ = fitted(tmp_path, Stage(), 100, limit_val_batches=0)
    assert torch.load(path, weights_only=True)["global_step"] == BATCHES


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    fitted(tmp_path, Stage(), 1, fast_dev_run=True)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def ctrl_c() -> Any:
    """Python's own answer to Ctrl-C during a test, and as it was afterwards."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_a_run_after_the_step_under_way_and_says_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        fitted(tmp_path, Stage(at=3), 100)
    path = tmp_path / "run" / "checkpoints" / LAST
    assert torch.load(path, weights_only=True)["global_step"] == 4
    assert isinstance(caught.value.__context__, KeyboardInterrupt)
    assert caught.value.__context__.args == (f"go on with `sound2scene fit --resume {tmp_path / 'run'}`",)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_at_the_end_of_an_epoch_waits_for_its_validation(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        fitted(tmp_path, Stage(at=BATCHES - 1), 100, max_epochs=2)
    state = torch.load(tmp_path / "run" / "checkpoints" / LAST, weights_only=True)
    assert state["global_step"] == BATCHES


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_within_validation_ends_a_run_at_once(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        fitted(tmp_path, Stage(at=BATCHES, within="validation"), 4)
    state = torch.load(tmp_path / "run" / "checkpoints" / LAST, weights_only=True)
    assert state["global_step"] == 4


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_is_answered_as_before_when_the_run_is_over(tmp_path: Path) -> None:
    fitted(tmp_path, Stage(), 100)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class Alone(pl.Trainer):
    """A trainer of a process whose others no longer answer."""

    @property
    def log_dir(self) -> str | None:
        raise AssertionError("a broadcast, for which nobody waits")


def test_a_process_that_is_stopped_says_how_to_go_on_without_the_others(tmp_path: Path) -> None:
    writer, stopped = LastCheckpoint(1), KeyboardInterrupt()
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / LAST).touch()
    trainer = pl.Trainer(default_root_dir=tmp_path, accelerator="cpu", logger=CSVLogger(tmp_path, "", ""))
    writer.on_fit_start(trainer, Stage())
    trainer.__class__ = Alone
    writer.on_exception(trainer, Stage(), stopped)
    assert str(stopped) == f"go on with `sound2scene fit --resume {trainer.logger.log_dir}`"  # type: ignore


def stopped_on_one_of_two(folder: Path, number: int, rank: int) -> None:
    fitted(folder, Stage(1, number=number, rank=rank), 100, devices=2, strategy="ddp")


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_of_two_processes_both_stop_behind_the_same_step_whichever_is_told_to(
    tmp_path: Path, number: int, rank: int
) -> None:
    pair = forked.run_pair(stopped_on_one_of_two, tmp_path, number, rank)
    assert all(ended.status != -number for ended in pair)
    assert "`max_epochs=1` reached" not in pair[0].err
    state = torch.load(tmp_path / "run" / "checkpoints" / LAST, weights_only=True)
    assert state["global_step"] == 2
