from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from drawing import tiny_trainer
from sound2scene.stages.measured import MeasuredModule


class Counting(MeasuredModule):
    """Counts batches, and reports how many there were."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[int] = []
        self.told: list[tuple[str, list[int]]] = []

    def validation_step(self, batch: Tensor, batch_index: int) -> None:
        self.seen.append(int(batch.sum()))

    def report(self, split: str) -> None:
        self.told.append((split, self.seen))
        self.seen = []

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_the_test_split_is_collected_and_reported_as_the_held_out_one(tmp_path: Path) -> None:
    stage, loader = Counting(), DataLoader(torch.arange(6), batch_size=2)
    run = tiny_trainer(tmp_path)
    run.validate(stage, loader, verbose=False)
    run.test(stage, loader, verbose=False)
    assert stage.told == [("val", [1, 5, 9]), ("test", [1, 5, 9])]
