from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytorch_lightning.loggers import CSVLogger

from scripted import ScriptedStage, fit
from sound2scene.callbacks.report import Report, draw_curves, read_series, table_lines
from tiny import counted

RECALLS = {
    "val/class/audio_to_image/recall_at_1": 0.75,
    "val/class/audio_to_image/recall_at_10": 1.0,
    "val/class/image_to_audio/recall_at_1": 0.5,
    "val/class/image_to_audio/recall_at_10": 0.875,
    "val/class/chance_at_1": 0.125,
    "val/class/chance_at_10": 0.75,
    "val/recall": 0.7505,
}
TABLE = """\
| recall | R@1 (chance) | R@10 (chance) |
|---|---|---|
| class, audio to image | 0.750 (0.125) | 1.000 (0.750) |
| class, image to audio | 0.500 (0.125) | 0.875 (0.750) |
recall: 0.7505
"""


def test_recalls_stand_in_a_table_beside_their_chance() -> None:
    assert "\n".join(table_lines(RECALLS)) + "\n" == TABLE


def test_other_figures_stand_one_per_line_without_a_table() -> None:
    figures = {"val/neighbour_accuracy": 0.25, "val/effective_rank": 12.34567}
    assert table_lines(figures) == ["effective_rank: 12.3457", "neighbour_accuracy: 0.2500"]


def test_a_figure_at_a_level_that_is_no_recall_is_not_lost() -> None:
    assert table_lines({"test/ciou_at_50": 0.9}) == ["ciou_at_50: 0.9000"]


@pytest.fixture(scope="module")
def run_folder(tiny_shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose second validation of three was the best."""
    folder = tmp_path_factory.mktemp("report")
    logger = CSVLogger(folder, "run")
    fit(
        ScriptedStage([0.2, 0.5, 0.3], RECALLS),
        tiny_shards,
        folder,
        Report("val/score"),
        logger=logger,
        log_every_n_steps=1,
    )
    return Path(logger.log_dir)


def test_the_table_of_a_run_is_that_of_its_best_validation(run_folder: Path) -> None:
    assert (run_folder / "table.md").read_text() == TABLE + "score: 0.5000\n"


def test_curves_are_a_picture_with_ink_in_every_panel(run_folder: Path) -> None:
    with Image.open(run_folder / "curves.png") as picture:
        assert picture.format == "PNG"
        assert picture.size == (1500, 400)
        pixels_HWC = np.asarray(picture.convert("RGB")).astype(int)
    coloured_HW = np.ptp(pixels_HWC, axis=2) > 60
    loss, held_out, speed = np.array_split(coloured_HW, 3, axis=1)
    assert loss.any()
    assert held_out.any()
    assert not speed.any()  # nothing measured it in this run


def test_series_hold_every_logged_figure_with_its_step(run_folder: Path) -> None:
    series = read_series(run_folder / "metrics.csv")
    assert [step for step, _ in series["train/loss"]] == list(range(9))
    assert series["val/score"] == [(2, pytest.approx(0.2)), (5, pytest.approx(0.5)), (8, pytest.approx(0.3))]
    assert not series.keys() & {"step", "epoch"}


def test_curves_of_one_point_are_drawn(tmp_path: Path) -> None:
    draw_curves({"train/loss": [(0.0, 1.0)], "speed/clips_per_s": [(0.0, 5.0)]}, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_a_run_that_goes_on_still_knows_its_best_figures() -> None:
    report, again = Report("val/score"), Report("val/score")
    report.best, report.figures = 0.5, {"val/score": 0.5}
    again.load_state_dict(report.state_dict())
    assert (again.best, again.figures) == (0.5, {"val/score": 0.5})


def test_the_test_split_gets_its_table(
    tiny_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = ScriptedStage([0.2])
    monkeypatch.setattr(stage, "test_step", stage.validation_step)
    monkeypatch.setattr(stage, "on_test_epoch_end", lambda: stage.log("test/score", 0.25))
    trainer = fit(stage, tiny_shards, tmp_path, Report("val/score"), max_epochs=1)
    trainer.test(stage, trainer.datamodule, verbose=False)  # type: ignore[attr-defined]
    assert capsys.readouterr().out.endswith("Test split:\n\nscore: 0.2500\n")


def test_every_table_says_how_much_of_the_source_the_data_covers(
    tiny_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = counted(tiny_shards, tmp_path / "shards", {"train": {"found": 30, "expected": 40}})
    stage, logger = ScriptedStage([0.2, 0.3]), CSVLogger(tmp_path, "run")
    monkeypatch.setattr(stage, "test_step", stage.validation_step)
    monkeypatch.setattr(stage, "on_test_epoch_end", lambda: stage.log("test/score", 0.25))
    trainer = fit(stage, shards, tmp_path, Report("val/score"), logger=logger, max_epochs=1)
    line = "coverage: train 27 of 40\n"
    assert (Path(logger.log_dir) / "table.md").read_text().endswith(f"score: 0.2000\n{line}")
    trainer.test(stage, trainer.datamodule, verbose=False)  # type: ignore[attr-defined]
    assert capsys.readouterr().out.endswith(f"score: 0.2500\n{line}")
    trainer.validate(stage, trainer.datamodule, verbose=False)  # type: ignore[attr-defined]
    assert capsys.readouterr().out.endswith(line)
