from pathlib import Path

import pytest
from pytorch_lightning.loggers import CSVLogger

from scripted import ScriptedStage, fit, scripted_data
from sound2scene.callbacks import report as report_module
from sound2scene.callbacks.improvement import Aim, Best
from sound2scene.callbacks.report import Report, table_lines
from tiny import counted

RECALLS = {
    "val/class/audio_to_image/recall_at_1": 0.75,
    "val/class/audio_to_image/recall_at_10": 1.0,
    "val/class/image_to_audio/recall_at_1": 0.5,
    "val/class/image_to_audio/recall_at_10": 0.875,
    "val/class/chance_at_1": 0.125,
    "val/class/chance_at_10": 0.75,
    "val/other": 0.7505,
}
TABLE = """\
| recall | R@1 (chance) | R@10 (chance) |
|---|---|---|
| class, audio to image | 0.750 (0.125) | 1.000 (0.750) |
| class, image to audio | 0.500 (0.125) | 0.875 (0.750) |
other: 0.7505
"""
AIM = Aim("val/score")


def test_recalls_stand_in_a_table_beside_their_chance() -> None:
    assert "\n".join(table_lines(RECALLS)) + "\n" == TABLE


def test_other_figures_stand_one_per_line_without_a_table() -> None:
    figures = {"val/neighbour_accuracy": 0.25, "val/effective_rank": 12.34567}
    assert table_lines(figures) == ["effective_rank: 12.3457", "neighbour_accuracy: 0.2500"]


def test_a_figure_at_a_level_that_is_no_recall_is_not_lost() -> None:
    assert table_lines({"test/ciou_at_50": 0.9}) == ["ciou_at_50: 0.9000"]


def reported(
    scores: list[float], shards: Path, folder: Path, aim: Aim = AIM, extra: dict[str, float] | None = None
) -> Path:
    """Folder of a run with a report."""
    report, logger = Report(aim), CSVLogger(folder, "run")
    settings = {"logger": logger, "log_every_n_steps": 1, "max_epochs": len(scores)}
    fit(ScriptedStage(scores, extra), shards, folder, report, Best(aim, [report]), **settings)
    return Path(logger.log_dir)


def test_a_run_ends_with_the_table_of_its_best_validation_and_its_curves(
    tiny_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = reported([0.2, 0.5, 0.3], tiny_shards, tmp_path, extra=RECALLS)
    table = TABLE + "score: 0.5000\n"
    assert (folder / "table.md").read_text() == table
    assert (
        f"Best validation (val/score = 0.500):\n\n{table}\nrun folder: {folder}\n" in capsys.readouterr().out
    )
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_curves_say_run_and_seed_and_are_written_in_the_formats_that_were_asked_for(
    tiny_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    plain = report_module.draw_curves
    monkeypatch.setattr(
        report_module, "draw_curves", lambda series, about: told.append(about) or plain(series)
    )
    report, logger = Report(AIM, ("svg",)), CSVLogger(tmp_path, "run")
    settings = {"logger": logger, "log_every_n_steps": 1, "max_epochs": 1}
    fit(ScriptedStage([0.2]), tiny_shards, tmp_path, report, Best(AIM, [report]), **settings)
    folder = Path(logger.log_dir)
    assert told == [f"{folder}, seed 0"]
    assert {path.name for path in folder.glob("curves.*")} == {"curves.png", "curves.svg"}


def test_the_heading_says_the_whole_figure_that_a_beginning_of_its_name_stands_for(
    tiny_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aim = Aim("val/fid", smaller_is_better=True)
    folder = reported([0.2], tiny_shards, tmp_path, aim, {"val/fid/n9_val_judge_32px": 4.25})
    assert "Best validation (val/fid = 4.250)" in capsys.readouterr().out
    assert "fid/n9_val_judge_32px: 4.2500" in (folder / "table.md").read_text()


def test_a_run_without_a_better_validation_has_nothing_to_report(tiny_shards: Path, tmp_path: Path) -> None:
    fit(ScriptedStage([0.2]), tiny_shards, tmp_path, Report(AIM), max_epochs=1)
    assert not (tmp_path / "table.md").exists()


def test_a_run_that_goes_on_still_knows_its_best_figures() -> None:
    report, again = Report(AIM), Report(AIM)
    report.figures = {"val/score": 0.5}
    again.load_state_dict(report.state_dict())
    assert again.figures == {"val/score": 0.5}


def test_the_test_split_gets_its_table(
    tiny_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = ScriptedStage([0.2])
    monkeypatch.setattr(stage, "on_test_epoch_end", lambda: stage.log("test/score", 0.25))
    trainer = fit(stage, tiny_shards, tmp_path, Report(AIM), max_epochs=1)
    trainer.test(stage, scripted_data(tiny_shards), verbose=False)
    assert capsys.readouterr().out.endswith("Test split:\n\nscore: 0.2500\n")


def test_every_table_says_how_much_of_the_source_the_data_covers(
    tiny_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = counted(tiny_shards, tmp_path / "shards", {"train": {"found": 30, "expected": 40}})
    stage, report, logger = ScriptedStage([0.2, 0.3]), Report(AIM), CSVLogger(tmp_path, "run")
    monkeypatch.setattr(stage, "on_test_epoch_end", lambda: stage.log("test/score", 0.25))
    trainer = fit(stage, shards, tmp_path, report, Best(AIM, [report]), logger=logger, max_epochs=1)
    line = "coverage: train 27 of 40\n"
    assert (Path(logger.log_dir) / "table.md").read_text().endswith(f"score: 0.2000\n{line}")
    trainer.test(stage, scripted_data(shards), verbose=False)
    assert capsys.readouterr().out.endswith(f"score: 0.2500\n{line}")
    trainer.validate(stage, scripted_data(shards), verbose=False)
    assert capsys.readouterr().out.endswith(line)
