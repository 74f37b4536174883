"""Recipes: LightningCLI over the stages and DataModules, and what every run has besides."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from jsonargparse import ArgumentError
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import LearningRateMonitor
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from sound2scene import artifacts, checkpoints
from sound2scene.callbacks.embeddings import EmbeddingWriter
from sound2scene.callbacks.export import ExportArtifact
from sound2scene.callbacks.improvement import Best, BestCheckpoint, Improving
from sound2scene.callbacks.last_checkpoint import LastCheckpoint
from sound2scene.callbacks.progress import Progress
from sound2scene.callbacks.provenance import Origins, Provenance, Resuming
from sound2scene.callbacks.publish import Publish
from sound2scene.callbacks.report import Report
from sound2scene.callbacks.run_pictures import RunPictures
from sound2scene.callbacks.throughput import Throughput
from sound2scene.callbacks.wandb_record import WandbRecord
from sound2scene.checkpoints import WholeCheckpointIO
from sound2scene.commands import checks
from sound2scene.commands.moved import answer
from sound2scene.commands.prediction import REFUSALS, check_processes
from sound2scene.commands.quiet import quiet
from sound2scene.commands.reasons import reason
from sound2scene.commands.recipe_names import with_paths
from sound2scene.commands.resumption import measurement, resumption
from sound2scene.figures.panels import Format
from sound2scene.lightning import ResumedLog, steps_logged
from sound2scene.runs import Aim
from sound2scene.types import InputError

SUBCOMMANDS = ("fit", "validate", "test", "predict")


@dataclass
class Run:
    """Where a run writes, what decides which state is its best, and to whom it reports.

    Attributes:
        name: `stage/recipe`; the run folder is `<folder>/<name>/version_<n>`, the stage is the W&B group.
        best: Held-out figure that tells which state is the best; None keeps the last state only.
        publish: Where others look for the artifact of the best state, which lies in the run folder: it is
            copied there when the run has come to its end, if nothing is there or what is there is worse by
            the same figure on the same data. None publishes nothing. Needs `best`.
        replace: Publish even if what is there is not worse; it is kept aside as `<publish>.before`.
        folder: Folder of all runs.
        checkpoint_steps: Batches between two writings of `checkpoints/last.ckpt`, from which a killed run
            goes on; it is also written after each validation.
        wandb: Also log to Weights & Biases: offline, so that nothing asks for an account, unless the
            environment says `WANDB_MODE=online` or an agent of a sweep started the run.
        project: Project of Weights & Biases.
        figures: Formats of the run's pictures and curves: `png`, which is always among them, `pdf`, `svg`.
        admit: Packages of your own whose classes the cards of artifacts may name; loading one runs its code.
    """

    name: str = "unnamed"
    best: Aim | None = None
    publish: str | None = None
    replace: bool = False
    folder: str = "runs"
    checkpoint_steps: int = 200
    wandb: bool = False
    project: str = "sound2scene"
    figures: list[Format] = field(default_factory=lambda: list[Format](["png"]))
    admit: list[str] = field(default_factory=list)

    def loggers(
        self, resumed: Path | None = None, checkpoint: Mapping[str, Any] | None = None
    ) -> list[Logger]:
        """The CSV log, first because it makes the run folder, and W&B where it was asked for.

        Args:
            resumed: Folder of its own; None makes a new one.
            checkpoint: State from which what is logged there goes on; None begins anew.
        """
        if resumed is None:
            csv = CSVLogger(self.folder, self.name)
        else:
            csv = ResumedLog(resumed, steps_logged(checkpoint) if checkpoint else 0)
        if not self.wandb:
            return [csv]
        if not os.environ.get("WANDB_SWEEP_ID"):  # an agent waits for what its run reports to the server
            os.environ.setdefault("WANDB_MODE", "offline")
        os.environ.setdefault("WANDB_SILENT", "true")
        group, _, recipe = self.name.partition("/")
        rank_zero_only(Path(csv.log_dir).mkdir)(parents=True, exist_ok=True)
        return [
            csv,
            WandbLogger(name=recipe or group, group=group, project=self.project, save_dir=csv.log_dir),
        ]

    def callbacks(
        self, given: Sequence[pl.Callback], origins: Origins, checkpointing: bool, progress: bool
    ) -> list[pl.Callback]:
        """What every run has: speed, rates, checkpoints, and at its best pictures, a report and an artifact.

        Args:
            given: Callbacks of the recipe; those that have something to do at each best validation are told
                of it.
            origins: Where the run comes from, for the artifact's card.
            checkpointing: Keep checkpoints.
            progress: Show progress.

        Raises:
            InputError: If there is something to publish and nothing that tells what is best.
        """
        if self.publish and not self.best:
            raise InputError("run.publish needs run.best, the figure that tells which state is the best")
        found: list[pl.Callback] = [Throughput(), LearningRateMonitor("step")]
        for callback in given:
            if isinstance(callback, RunPictures):
                callback.formats = tuple(self.figures)
        report, best = Report(origins, tuple(self.figures)), None
        found.append(report)
        if self.best:
            listeners: list[Improving] = [callback for callback in given if isinstance(callback, Improving)]
            listeners += [report, ExportArtifact(origins)]
            listeners += [BestCheckpoint()] if checkpointing else []
            best = Best(self.best, listeners)
            found.append(best)
            found += [Publish(self.publish, self.best, self.replace)] if self.publish else []
        if self.wandb:
            found.append(WandbRecord(origins))
        if progress:
            found.append(Progress(self.name, best))
        if checkpointing:
            found.append(LastCheckpoint(self.checkpoint_steps))
        return found


class RecipeCLI(LightningCLI):
    """`fit`, `validate`, `test` and `predict` on recipes; the constructors' signatures are the schema.

    Args:
        resumed: Folder of the run that goes on; None starts a new one.
        measured: Folder for the figures of a run that is measured; None makes a new run of them.
        settings: Settings of LightningCLI.
    """

    def __init__(self, resumed: Path | None, measured: Path | None, **settings: Any) -> None:
        self.resumed, self.measured = resumed, measured
        self.checkpoint: dict[str, Any] | None = None
        super().__init__(pl.LightningModule, pl.LightningDataModule, **settings)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The run, and one seed for everything."""
        parser.add_class_arguments(Run, "run")
        parser.link_arguments("seed_everything", "data.init_args.seed")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse, and look at the checkpoint before anything else does.

        Raises:
            InputError: If it is missing, damaged, would run code, is none, or none is given where one is
                needed.
        """
        super().parse_arguments(parser, args)
        subcommand = str(self.config.subcommand)
        checks.check_seed(self.config[subcommand])
        given = self.config[subcommand].ckpt_path
        if given is None and subcommand != "fit":
            raise InputError(
                f"{subcommand}: needs a trained state; give --ckpt_path RUN/checkpoints/best.ckpt"
            )
        if given is not None and str(given).startswith(("best", "last", "hpc", "registry")):
            raise InputError(
                f"ckpt_path: {given!r} names no file; give the file, or go on with a run by "
                "`sound2scene fit --resume RUNFOLDER`"
            )
        if given is not None:
            self.checkpoint = checkpoints.read(str(given))

    def before_instantiate_classes(self) -> None:
        """Refuse what would be ignored in silence.

        Raises:
            InputError: If the recipe brings loggers, or a number in it makes no sense.
        """
        given = self.config[str(self.subcommand)]
        checks.check_recipe(given)
        if given.trainer.logger is not None:
            raise InputError("trainer.logger: a run has its own logs; remove the key (run.wandb adds W&B)")
        artifacts.admit(*given.run.admit)
        if self.subcommand in ("validate", "test"):
            given.verbose = False  # Lightning's table beside ours
        # Lightning would unpickle a checkpoint that comes from an address.
        given.weights_only = True if given.weights_only is None else given.weights_only

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """The trainer, with our loggers, and our callbacks behind the recipe's own.

        Raises:
            InputError: If there is no such device, strategy ...
        """
        given = self.config_init[str(self.subcommand)]
        parser = self._parser(self.subcommand)
        config = self.config[str(self.subcommand)].clone()
        config.pop("config", None)
        run: Run = given.run
        own: list[pl.Callback] = given.trainer.callbacks or []
        plugins = [*_several(given.trainer.plugins), WholeCheckpointIO()]
        origins = Origins(json.loads(parser.dump(config, skip_none=False, format="json")))
        ours = [
            Provenance(parser.dump(config, skip_none=False), origins),
            Resuming(self.checkpoint, str(given.ckpt_path), origins),
            *run.callbacks(
                own,
                origins,
                given.trainer.enable_checkpointing is not False,
                given.trainer.enable_progress_bar is not False,
            ),
            *([EmbeddingWriter()] if self.subcommand == "predict" else []),
        ]
        try:
            trainer = super().instantiate_trainer(
                logger=run.loggers(self.measured or self.resumed, self.checkpoint if self.resumed else None),
                callbacks=[*own, *ours],
                plugins=plugins,
                enable_progress_bar=False,  # of Lightning, which breaks over six lines; ours is a callback
                **kwargs,
            )
            check_processes(trainer)
        except REFUSALS as error:
            raise InputError(f"trainer: {' '.join(str(error).split())}") from None
        return trainer


def _several(given: Any) -> list[Any]:
    return list(given) if isinstance(given, (list, tuple)) else [] if given is None else [given]


def main(arguments: list[str] | None = None) -> None:
    """Run a Lightning subcommand.

    Raises:
        InputError: If the recipe is not one, or names what is not there.
    """
    torch.set_float32_matmul_precision("high")
    arguments = sys.argv[1:] if arguments is None else arguments
    quiet()
    resumed = measured = None
    if "--resume" in arguments:
        resumed, arguments = resumption(arguments)
    elif arguments[0] != "fit" and (found := measurement(arguments)):
        measured, arguments = found
    arguments = with_paths(arguments)
    checks.check_files(arguments)
    try:
        RecipeCLI(
            resumed,
            measured,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=None,
            seed_everything_default=0,
            # `--trainer.max_epoch` is a misspelt key, as it is in a file, and no abbreviation.
            parser_kwargs={"exit_on_error": False, "allow_abbrev": False}
            | {name: {"exit_on_error": False} for name in SUBCOMMANDS},
            args=None if arguments == sys.argv[1:] else arguments,
        )
    except ArgumentError as error:
        told = answer(arguments)
        why = told or f"{reason(str(error))}; `sound2scene fit --help` tells how to list the keys"
        raise InputError(f"recipe: {why}") from None
    except (ValueError, MisconfigurationException) as error:
        if own := _told(error) or checks.told(error):
            raise own from None
        raise


def _told(error: BaseException | None) -> InputError | None:
    """Our own error, out of those that jsonargparse wraps around what a constructor raises."""
    while error is not None and not isinstance(error, InputError):
        error = error.__cause__
    return error
