import math
from pathlib import Path

import pytest
import pytorch_lightning as pl
from pytorch_lightning.loggers import CSVLogger

from scripted import SANITY_SCORE, ScriptedStage, fit
from sound2scene.callbacks.improvement import OnImprovement, PicturesOnImprovement
from sound2scene.types import InputError


class Recorder(OnImprovement):
    """Notes the epochs that improved."""

    def __init__(self, monitor: str = "val/score") -> None:
        super().__init__(monitor)
        self.epochs: list[int] = []

    def improved(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.epochs.append(trainer.current_epoch)


@pytest.mark.parametrize(
    ("scores", "epochs"),
    [
        ([0.2, 0.5, 0.5, 0.4, 0.6], [0, 1, 4]),
        ([-3.0, -4.0, -2.0], [0, 2]),
        ([math.nan, 0.1, math.nan, 0.2], [1, 3]),
    ],
    ids=["a tie is no improvement", "negative", "nan is never the best"],
)
def test_only_a_better_score_than_all_before_counts(
    tiny_shards: Path, tmp_path: Path, scores: list[float], epochs: list[int]
) -> None:
    recorder = Recorder()
    fit(ScriptedStage(scores), tiny_shards, tmp_path, recorder, max_epochs=len(scores))
    assert recorder.epochs == epochs


def test_the_sanity_check_is_no_improvement(tiny_shards: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    fit(ScriptedStage([0.1]), tiny_shards, tmp_path, recorder, max_epochs=1, num_sanity_val_steps=2)
    assert recorder.best == pytest.approx(0.1) != SANITY_SCORE


def test_a_dry_run_improves_nothing(tiny_shards: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    fit(ScriptedStage([0.1]), tiny_shards, tmp_path, recorder, fast_dev_run=True)
    assert recorder.epochs == []


def test_validation_outside_a_fit_is_no_improvement(tiny_shards: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    stage = ScriptedStage([0.1, 0.9])
    trainer = fit(stage, tiny_shards, tmp_path, recorder, max_epochs=1)
    stage.scores = [0.9, 0.9]
    trainer.validate(stage, trainer.datamodule, verbose=False)  # type: ignore[attr-defined]
    assert trainer.callback_metrics["val/score"] == pytest.approx(0.9)
    assert recorder.epochs == [0]


def test_a_run_that_goes_on_from_a_checkpoint_remembers_the_best(tiny_shards: Path, tmp_path: Path) -> None:
    first = fit(ScriptedStage([0.5, 0.7]), tiny_shards, tmp_path, Recorder(), max_epochs=2)
    first.save_checkpoint(tmp_path / "half.ckpt")
    again = Recorder()
    trainer = pl.Trainer(
        default_root_dir=tmp_path,
        callbacks=[again],
        max_epochs=4,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    stage = ScriptedStage([0.5, 0.7, 0.6, 0.8])
    trainer.fit(stage, first.datamodule, ckpt_path=tmp_path / "half.ckpt")  # type: ignore[attr-defined]
    assert again.epochs == [3]


def test_a_figure_that_nothing_logs_is_refused_with_those_there_are(
    tiny_shards: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"^monitor: nothing logs 'val/scroe'; .*: val/score$"):
        fit(ScriptedStage([0.1]), tiny_shards, tmp_path, Recorder("val/scroe"), max_epochs=1)


class Painter(PicturesOnImprovement):
    """Notes what it would draw."""

    best_picture = "best.png"

    def __init__(self) -> None:
        super().__init__("val/score", rows=2)
        self.drawn: list[tuple[int, Path]] = []

    def draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule, path: Path) -> None:
        self.drawn.append((trainer.current_epoch, path))


def test_the_best_picture_goes_into_the_runs_folder_at_each_improvement(
    tiny_shards: Path, tmp_path: Path
) -> None:
    painter, logger = Painter(), CSVLogger(tmp_path, "run")
    fit(ScriptedStage([0.2, 0.1, 0.3]), tiny_shards, tmp_path, painter, logger=logger)
    best = Path(logger.log_dir) / "best.png"
    assert painter.drawn == [(0, best), (2, best)]


def test_only_the_first_rank_draws(
    tiny_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    painter, logger = Painter(), CSVLogger(tmp_path, "run")
    trainer = fit(ScriptedStage([0.2]), tiny_shards, tmp_path, painter, logger=logger, max_epochs=1)
    monkeypatch.setattr(pl.Trainer, "is_global_zero", False)
    painter.draw_as("other.png", trainer, trainer.lightning_module)
    assert [path.name for _, path in painter.drawn] == ["best.png"]


def test_without_a_folder_nothing_is_drawn(tmp_path: Path) -> None:
    painter, trainer = Painter(), pl.Trainer(default_root_dir=tmp_path, logger=False, accelerator="cpu")
    painter.draw_as("other.png", trainer, ScriptedStage([0.2]))
    assert painter.drawn == []
    painter.on_fit_start(trainer, ScriptedStage([0.2]))
    painter.draw_as("other.png", trainer, ScriptedStage([0.2]))
    assert painter.drawn == [(0, tmp_path / "other.png")]
