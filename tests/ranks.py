"""Trainers that stand for one of several processes."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl


class Rank(pl.Trainer):
    """Counts how often it is asked for its folder, which the first process then tells all others.

    Args:
        folder: Where it would write.
        number: Number of the process.
        settings: For the trainer.
    """

    def __init__(self, folder: Path, number: int, **settings: Any) -> None:
        defaults: dict[str, Any] = {"accelerator": "cpu", "max_epochs": 1, "logger": False}
        super().__init__(default_root_dir=folder, **(defaults | settings))
        self.number, self.asked = number, 0

    @property
    def is_global_zero(self) -> bool:
        """Whether this is the first process."""
        return self.number == 0

    @property
    def log_dir(self) -> str | None:
        """Where it writes."""
        self.asked += 1
        return super().log_dir
