from pathlib import Path

import pytest
import pytorch_lightning as pl
from matplotlib.figure import Figure
from PIL import Image
from pytorch_lightning.loggers import CSVLogger

from scripted import ScriptedStage, fit, scripted_data, scripted_trainer
from sound2scene.callbacks.improvement import Best
from sound2scene.callbacks.run_pictures import RunPictures, state_words
from sound2scene.runs import Aim


class Painter(RunPictures):
    """Draws an empty figure, if anything, and notes at which epoch."""

    best_picture = "best.png"

    def __init__(self, nothing: bool = False) -> None:
        super().__init__(rows=2)
        self.nothing = nothing
        self.epochs: list[int] = []

    def draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> Figure | None:
        self.epochs.append(trainer.current_epoch)
        return None if self.nothing else Figure(figsize=(2 + trainer.current_epoch, 1))


def painted(painter: Painter, shards: Path, folder: Path, **settings: object) -> Path:
    """Folder of a run whose third validation was the best."""
    logger = CSVLogger(folder, "run")
    best = Best(Aim("val/score"), [painter])
    fit(ScriptedStage([0.2, 0.1, 0.3]), shards, folder, painter, best, logger=logger, **settings)
    return Path(logger.log_dir)


def test_the_best_picture_goes_into_the_runs_folder_at_each_better_validation(
    tiny_shards: Path, tmp_path: Path
) -> None:
    painter = Painter()
    folder = painted(painter, tiny_shards, tmp_path)
    assert painter.epochs == [0, 2]
    with Image.open(folder / "best.png") as picture:
        assert picture.size == (4 * 150, 150)  # of the third epoch
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_pictures_are_written_in_the_runs_formats_too(tiny_shards: Path, tmp_path: Path) -> None:
    painter = Painter()
    painter.formats = ("pdf", "svg")
    folder = painted(painter, tiny_shards, tmp_path)
    assert {path.name for path in folder.glob("best.*")} == {"best.png", "best.pdf", "best.svg"}


def test_a_state_is_told_by_its_step_and_the_seed_of_its_run(tiny_shards: Path, tmp_path: Path) -> None:
    told: list[str] = []

    class Telling(Painter):
        def draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            told.append(state_words(trainer))

    telling = Telling()
    painted(telling, tiny_shards, tmp_path, limit_train_batches=1)
    assert told == ["step 1, seed 0", "step 3, seed 0"]
    trainer = scripted_trainer(tmp_path)
    trainer.datamodule = scripted_data(tiny_shards)
    assert state_words(trainer) == "step 0 (untrained), seed 0"


def test_where_there_is_nothing_to_draw_nothing_is_written(tiny_shards: Path, tmp_path: Path) -> None:
    painter = Painter(nothing=True)
    folder = painted(painter, tiny_shards, tmp_path)
    assert painter.epochs == [0, 2]
    assert not (folder / "best.png").exists()


def test_only_the_first_rank_draws(
    tiny_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    painter = Painter()
    folder = painted(painter, tiny_shards, tmp_path)
    trainer = scripted_trainer(tmp_path)
    monkeypatch.setattr(pl.Trainer, "is_global_zero", False)
    painter.draw_as("other.png", trainer, ScriptedStage([0.2]))
    assert painter.epochs == [0, 2]
    assert not (folder / "other.png").exists()


def test_without_a_folder_nothing_is_drawn(tmp_path: Path) -> None:
    painter, trainer, stage = Painter(), scripted_trainer(tmp_path), ScriptedStage([0.2])
    painter.draw_as("other.png", trainer, stage)
    assert painter.epochs == []
    painter.on_fit_start(trainer, stage)
    painter.draw_as("samples/other.png", trainer, stage)
    assert (tmp_path / "samples" / "other.png").exists()
