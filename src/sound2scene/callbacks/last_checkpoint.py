"""The state from which a stopped or killed run goes on: `checkpoints/last.ckpt`."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.trainer.states import RunningStage

from sound2scene.lightning import batches_trained, is_dry_run
from sound2scene.runs import LAST


class LastCheckpoint(Checkpoint):
    """Writes `last.ckpt` every so many batches, after each validation, at the end, and when asked to stop.

    Ctrl-C during training is answered after the step under way, so that nothing of it is lost; a second one,
    or one outside of training or with several processes, stops at once. SIGTERM is Lightning's: it ends the
    run after the step.

    Args:
        every_batches: Batches between two writings.
    """

    def __init__(self, every_batches: int) -> None:
        self.every_batches = every_batches
        self._written = -1
        self._asked = False
        self._is_new = False
        self._before: Any = None
        self._folder: str | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Learn where the run writes, and answer Ctrl-C from here on."""
        # A broadcast: every rank has to ask, here and not where one of them is stopped.
        self._folder = trainer.log_dir
        if trainer.world_size > 1 or threading.current_thread() is not threading.main_thread():
            return
        before = signal.getsignal(signal.SIGINT)

        def answer(number: int, frame: FrameType | None) -> None:
            if self._asked or trainer.state.stage != RunningStage.TRAINING or not callable(before):
                raise KeyboardInterrupt
            self._asked = True

        if before is not signal.SIG_IGN:
            self._before = signal.signal(signal.SIGINT, answer)

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
        if (is_due or self._asked or trainer.received_sigterm) and not trainer.is_last_batch:
            self._write(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write after each validation of a fit."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._write(trainer)
            self._flush(trainer)
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
        """Answer Ctrl-C as before."""
        self._give_back()

    def _give_back(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _flush(self, trainer: pl.Trainer) -> None:
        """What was logged before the state has to be on disk with it: it does not come again."""
        self._is_new = False
        for logger in trainer.loggers:
            logger.save()

    def _stop_if_asked(self) -> None:
        if self._asked:
            raise KeyboardInterrupt

    def _write(self, trainer: pl.Trainer) -> None:
        if self._folder is None or is_dry_run(trainer):
            return
        self._written, self._is_new = batches_trained(trainer), True
        trainer.save_checkpoint(Path(self._folder) / "checkpoints" / LAST, weights_only=False)
