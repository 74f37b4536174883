"""How far a run is: a bar on a terminal, plain lines in a file."""

from __future__ import annotations

from time import monotonic
from typing import Any

import pytorch_lightning as pl

from sound2scene.callbacks.improvement import Best
from sound2scene.callbacks.table import title_of
from sound2scene.lightning import batches_trained
from sound2scene.progress import Bar, clock, is_terminal

LINE_S = 60.0
_LOSSES = ("loss", "discriminator", "generator")
_LEVELS = ("chance", "floor")


class Progress(pl.Callback):
    """Tells of a training: a line at its begin, at each validation and, in a file, once a minute.

    Args:
        name: Name of the run.
        best: Which validation is the best; None where nothing tells.
    """

    def __init__(self, name: str, best: Best | None) -> None:
        self.name, self.best = name, best
        self._bar: Bar | None = None
        self._begun = self._told = monotonic()
        self._first = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say what begins."""
        self._begun = self._told = monotonic()
        self._first, total = batches_trained(trainer), self._total(trainer)
        log_dir = trainer.log_dir  # a broadcast: every rank has to ask
        if not trainer.is_global_zero:
            return
        epochs = f"{trainer.max_epochs} epochs of " if (trainer.max_epochs or -1) > 0 else ""
        steps = f"{trainer.num_training_batches:.0f} batches" if epochs else f"{total} batches"
        going_on = f", going on behind {self._first}" if self._first else ""
        print(f"{self.name}: {epochs}{steps}{going_on}; {log_dir}", flush=True)
        if is_terminal() and total:
            self._bar = Bar(total, "training", "batch", done=self._first)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Move the bar, or write the line of a minute."""
        if self._bar is not None:
            self._bar.update(1, self._figures(trainer))
        elif trainer.is_global_zero and monotonic() - self._told > LINE_S:
            self._tell(trainer, [])

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The line of a validation."""
        if trainer.sanity_checking or trainer.state.fn != "fit" or not trainer.is_global_zero:
            return
        self._tell(trainer, self._validated(trainer))

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the last state of the bar behind."""
        self._close()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """The same where the run is stopped."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _tell(self, trainer: pl.Trainer, more: list[str]) -> None:
        self._told = monotonic()
        done, total = batches_trained(trainer), self._total(trainer)
        place = f"batch {done}/{total}" if total else f"batch {done}"
        parts = [place, f"epoch {trainer.current_epoch + 1}", *self._figures(trainer), *more]
        if total and done > self._first:
            left = (self._told - self._begun) / (done - self._first) * max(0, total - done)
            parts.append(f"{clock(left)} left")
        line = "  ".join(parts)
        if self._bar is not None:
            self._bar.write(line)
        else:
            print(line, flush=True)

    def _figures(self, trainer: pl.Trainer) -> list[str]:
        """Loss between its chance and its floor, and the speed."""
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        parts = [f"{name} {logged[f'train/{name}']:.3f}" for name in _LOSSES if f"train/{name}" in logged]
        levels = [f"{name} {logged[f'train/{name}']:.3f}" for name in _LEVELS if f"train/{name}" in logged]
        if levels and parts:
            parts[0] += f" ({', '.join(levels)})"
        if "speed/clips_per_s" in logged:
            parts.append(f"{logged['speed/clips_per_s']:.1f} clips/s")
        return parts

    def _validated(self, trainer: pl.Trainer) -> list[str]:
        """The figure that counts, beside its chance, and what it made the run write."""
        if self.best is None:
            return ["validated"]
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        monitor = self.best.aim.monitor
        held_out = {name: value for name, value in logged.items() if name.startswith("val/")}
        value = self.best.aim.figure(held_out, monitor)
        level, _, k = monitor.rpartition("/recall_at_")
        chance = logged.get(f"{level.rpartition('/')[0]}/chance_at_{k}" if level else "val/chance")
        beside = "" if chance is None else f" (chance {chance:.3f})"
        written = ["best so far, artifact and best.ckpt written"] if self.best.waited == 0 else []
        return [f"{title_of(monitor)} {value:.4g}{beside}", *written]

    def _total(self, trainer: pl.Trainer) -> int:
        """Batches of the whole run; 0 where that is not known."""
        epochs, batches = trainer.max_epochs or -1, trainer.num_training_batches
        by_epochs = epochs * int(batches) if epochs > 0 and batches != float("inf") else 0
        by_steps = trainer.max_steps // max(1, len(trainer.optimizers))  # each optimizer counts its own
        limits = [limit for limit in (by_epochs, by_steps) if limit > 0]
        return min(limits, default=0)


class Counted(pl.Callback):
    """Counts what a prediction goes through.

    Args:
        total: How many there are.
        what: What is done.
        unit: With what.
    """

    def __init__(self, total: int, what: str, unit: str) -> None:
        self.settings = total, what, unit
        self._bar: Bar | None = None

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin, on the first rank."""
        total, what, unit = self.settings
        if trainer.is_global_zero and total:
            self._bar = Bar(-(-total // trainer.world_size), what, unit)

    def on_predict_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """One more."""
        if self._bar is not None:
            self._bar.update()

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """All."""
        if self._bar is not None:
            self._bar.close()
