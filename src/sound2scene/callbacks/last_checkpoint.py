"""The state from which a stopped or killed run goes on: `checkpoints/last.ckpt`."""

from __future__ import annotations

import signal
import threading
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.trainer.states import RunningStage
from pytorch_lightning.utilities.exceptions import SIGTERMException

from sound2scene.lightning import batches_trained, is_dry_run
from sound2scene.runs import LAST


class LastCheckpoint(Checkpoint):
    """Writes `last.ckpt` every so many batches, after each validation, at the end, and when asked to stop.

    Ctrl-C during training is answered after the step under way, so that nothing of it is lost; a second one,
    or one outside of training, stops at once. SIGTERM ends the run after the step, too. Of several processes
    all stop behind the same step, whichever of them were told to.

    Args:
        every_batches: Batches between two writings.
    """

    def __init__(self, every_batches: int) -> None:
        self.every_batches = every_batches
        self._written = -1
        self._asked = self._agreed = 0
        self._is_new = False
        self._before: dict[int, Any] = {}
        self._folder: str | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Learn where the run writes."""
        # A broadcast: every rank has to ask, here and not where one of them is stopped.
        self._folder = trainer.log_dir

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Answer signals from here on, when Lightning has said how it would."""
        if threading.current_thread() is not threading.main_thread():
            return
        # Lightning answers SIGTERM by a message to the other processes from wherever it is, for which they do
        # not wait: one process may leave that to it, several may not.
        for number in (signal.SIGINT, signal.SIGTERM) if trainer.world_size > 1 else (signal.SIGINT,):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, partial(self._answer, trainer))

    def _answer(self, trainer: pl.Trainer, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and (self._asked or trainer.state.stage != RunningStage.TRAINING):
            raise KeyboardInterrupt
        self._asked = number

    def _agree(self, trainer: pl.Trainer) -> bool:
        """Whether this process or another one was asked to stop; all have to call."""
        if trainer.strategy.reduce_boolean_decision(self._asked > 0, all=False):
            self._agreed = self._asked or signal.SIGTERM
        return self._agreed > 0

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Stop where that was asked for, now that the figures of the step before are logged."""
        if self._is_new:
            self._flush(trainer)
            self._stop_if_asked()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Write where it is time to, or where the run is to stop.

        Not behind the last batch of an epoch: who went on from there would miss the validation after it.
        """
        is_due = batches_trained(trainer) % self.every_batches == 0
        is_stopping = self._agree(trainer) or trainer.received_sigterm
        if (is_due or is_stopping) and not trainer.is_last_batch:
            self._write(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write after each validation of a fit."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._write(trainer)
            self._flush(trainer)
            self._agree(trainer)
            self._stop_if_asked()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the last state, if no validation came after it."""
        if self._written != batches_trained(trainer):
            self._write(trainer)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Say how to go on."""
        self._give_back()
        is_stopped = isinstance(exception, (KeyboardInterrupt, SystemExit))
        if is_stopped and (Path(self._folder or "") / "checkpoints" / LAST).exists():
            exception.args = (f"go on with `sound2scene fit --resume {self._folder}`",)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Answer signals as before."""
        self._give_back()

    def _give_back(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before = {}

    def _flush(self, trainer: pl.Trainer) -> None:
        """What was logged before the state has to be on disk with it: it does not come again."""
        self._is_new = False
        for logger in trainer.loggers:
            logger.save()

    def _stop_if_asked(self) -> None:
        if self._agreed:
            raise SIGTERMException if self._agreed == signal.SIGTERM else KeyboardInterrupt

    def _write(self, trainer: pl.Trainer) -> None:
        if self._folder is None or is_dry_run(trainer):
            return
        self._written, self._is_new = batches_trained(trainer), True
        trainer.save_checkpoint(Path(self._folder) / "checkpoints" / LAST, weights_only=False)
