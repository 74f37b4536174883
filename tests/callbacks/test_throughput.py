from collections.abc import Iterator
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sound2scene.callbacks import throughput
from sound2scene.callbacks.throughput import Throughput
from sound2scene.types import FeatureBatch

CLIPS, BATCH = 24, 4


class Clock:
    """Stands still but for those who say how long their work takes."""

    now_s = 0.0

    @classmethod
    def read(cls) -> float:
        return cls.now_s


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(throughput, "perf_counter", Clock.read)
    yield
    Clock.now_s = 0.0


class Naps(Dataset[int]):
    """Clips that take a while to read."""

    def __init__(self, nap_s: float) -> None:
        self.nap_s = nap_s

    def __len__(self) -> int:
        return CLIPS

    def __getitem__(self, position: int) -> int:
        Clock.now_s += self.nap_s
        return position


class Worker(pl.LightningModule):
    """A step that takes a while, and keeps what was logged after each one."""

    def __init__(self, step_s: float) -> None:
        super().__init__()
        self.step_s, self.layer = step_s, torch.nn.Linear(1, 1)
        self.logged: list[tuple[int, dict[str, float]]] = []

    def training_step(self, batch: FeatureBatch, batch_index: int) -> Tensor:
        Clock.now_s += self.step_s
        loss: Tensor = self.layer(torch.ones(1))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Notes(pl.Callback):
    """Reads the figures behind `Throughput`."""

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Worker, *_: object) -> None:
        found = {name: float(value) for name, value in trainer.callback_metrics.items() if "/" in name}
        if found and (not pl_module.logged or found != pl_module.logged[-1][1]):
            pl_module.logged.append((trainer.global_step, found))


def clips(positions: list[int]) -> FeatureBatch:
    index_B = torch.tensor(positions)
    return FeatureBatch(
        [str(position) for position in positions],
        index_B,
        -torch.ones_like(index_B),
        torch.zeros(len(index_B), 1),
    )


def run(
    folder: Path, nap_s: float, step_s: float, every_n_steps: int, epochs: int = 1
) -> list[tuple[int, dict[str, float]]]:
    stage = Worker(step_s)
    trainer = pl.Trainer(
        default_root_dir=folder,
        max_epochs=epochs,
        callbacks=[Throughput(every_n_steps), Notes()],
        logger=False,
        accelerator="cpu",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(stage, DataLoader(Naps(nap_s), BATCH, collate_fn=clips))
    return stage.logged


@pytest.mark.parametrize(
    ("nap_s", "step_s", "share"),
    [(0.0, 0.03, 0.0), (0.03, 0.0, 1.0), (0.01, 0.04, 0.5)],
    ids=["ready data", "slow data", "as slow as the work"],
)
def test_the_share_of_waiting_is_that_of_the_data(
    tmp_path: Path, nap_s: float, step_s: float, share: float
) -> None:
    # In windows of 3: the first waits for one batch more than the loader, which reads ahead, will again.
    (*_, (_, figures)) = run(tmp_path, nap_s, step_s, every_n_steps=3)
    assert figures["speed/data_wait_share"] == pytest.approx(share)


def test_speed_is_that_of_waiting_and_working_together(tmp_path: Path) -> None:
    (*_, (_, figures)) = run(tmp_path, nap_s=0.01, step_s=0.04, every_n_steps=3)
    assert figures["speed/clips_per_s"] == pytest.approx(BATCH / (BATCH * 0.01 + 0.04))


def test_thousands_of_clips_are_counted_exactly_over_epochs_shorter_than_a_window(tmp_path: Path) -> None:
    found = run(tmp_path, nap_s=0, step_s=0.01, every_n_steps=4, epochs=3)
    assert [(step, figures["progress/kclips"]) for step, figures in found] == [
        (step, pytest.approx(step * BATCH / 1000)) for step in (4, 8, 12, 16)
    ]
