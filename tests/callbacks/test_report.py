import re
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning.loggers import CSVLogger

from scripted import ScriptedStage, fit, scripted_data
from sound2scene import artifacts, networks
from sound2scene.callbacks import report as report_module
from sound2scene.callbacks.export import ExportArtifact
from sound2scene.callbacks.improvement import Best
from sound2scene.callbacks.provenance import Origins
from sound2scene.callbacks.report import NEXT, Report, next_lines
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.runs import Aim
from tiny import NET, Z_DIM, counted

AIM = Aim("val/score")
RECIPE: dict[str, Any] = {"run": {"name": "encoder/scripted"}, "seed_everything": 3}
ROWS = "| figure | value | N |\n| --- | --- | --- |\n"


def reported(
    scores: list[float], shards: Path, folder: Path, aim: Aim = AIM, extra: dict[str, float] | None = None
) -> Path:
    """Folder of a run with a report."""
    origins = Origins(RECIPE, "1234567890")
    report, logger = Report(origins), CSVLogger(folder, "run")
    settings = {"logger": logger, "log_every_n_steps": 1, "max_epochs": len(scores)}
    listeners = [report, ExportArtifact(origins)]
    fit(ScriptedStage(scores, extra), shards, folder, report, Best(aim, listeners), **settings)
    return Path(logger.log_dir)


@pytest.mark.costly
def test_a_run_ends_with_the_table_of_its_best_validation_its_curves_and_what_to_do_next(
    tiny_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = reported([0.2, 0.5, 0.3], tiny_shards, tmp_path, extra={"val/other": 0.75})
    table = (folder / "table.md").read_text()
    title, rows = table.split("\n\n")
    assert re.fullmatch(r"encoder/scripted, seed 3, commit 1234567, best at step 6 of 9, 0 min \d+ s", title)
    assert rows == ROWS + "| other | 0.75 | 9 |\n| score | 0.5 | 9 |\n"
    assert (folder / "table.csv").read_text().splitlines()[
        0
    ] == "figure,value,chance,ceiling,floor,N,protocol"
    assert (folder / "table.tex").read_text().startswith("\\begin{tabular}")
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    told = capsys.readouterr().out.splitlines()[-4:]
    assert told[0] == f"run folder: {folder}"
    assert told[1] == "pictures:   curves.png"
    assert told[2] == f"artifact:   {folder / 'artifact'} (image-encoder)"
    assert told[3].endswith(f"--data.init_args.features.image_encoder {folder / 'artifact'}")


def test_the_command_that_draws_names_the_generator_of_the_recipe(tmp_path: Path) -> None:
    encoder = AudioEncoder(Z_DIM, "resnet18", NET)
    artifacts.save(encoder, tmp_path / "artifact", card={"kind": "audio-encoder"})
    drawing = {"init_args": {"generator": "my/generator"}}
    lines = next_lines(tmp_path, {"model": {"init_args": {"drawing": drawing}}})
    assert lines[-1] == (
        f"next:       sound2scene generate SOUND ... -o pictures --audio-encoder {tmp_path / 'artifact'} "
        "--generator my/generator"
    )
    assert "--generator" not in next_lines(tmp_path, {})[-1]


def test_every_kind_of_artifact_has_a_next_command() -> None:
    assert NEXT.keys() == networks.CLASSES.keys() - {"discriminator"}  # which stays beside its generator


def test_curves_say_run_and_seed_and_are_written_in_the_formats_that_were_asked_for(
    tiny_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    plain = report_module.draw_curves
    monkeypatch.setattr(
        report_module, "draw_curves", lambda series, about: told.append(about) or plain(series)
    )
    report, logger = Report(Origins(), ("svg",)), CSVLogger(tmp_path, "run")
    settings = {"logger": logger, "log_every_n_steps": 1, "max_epochs": 1}
    fit(ScriptedStage([0.2]), tiny_shards, tmp_path, report, Best(AIM, [report]), **settings)
    folder = Path(logger.log_dir)
    assert told == [f"{folder}, seed 0"]
    assert {path.name for path in folder.glob("curves.*")} == {"curves.png", "curves.svg"}


def test_a_run_without_a_better_validation_has_nothing_to_report(tiny_shards: Path, tmp_path: Path) -> None:
    fit(ScriptedStage([0.2]), tiny_shards, tmp_path, Report(Origins()), max_epochs=1)
    assert not (tmp_path / "table.md").exists()


def test_a_run_that_goes_on_still_knows_its_best_figures() -> None:
    report, again = Report(Origins()), Report(Origins())
    report.figures = {"val/score": 0.5}
    again.load_state_dict(report.state_dict())
    assert again.figures == {"val/score": 0.5}
    assert (again.step, again.clips) == (0, 0)


def test_the_test_split_gets_its_table(
    tiny_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = ScriptedStage([0.2])
    monkeypatch.setattr(stage, "on_test_epoch_end", lambda: stage.log("test/score", 0.25))
    trainer = fit(stage, tiny_shards, tmp_path, Report(Origins()), max_epochs=1)
    trainer.test(stage, scripted_data(tiny_shards), verbose=False)
    assert capsys.readouterr().out.endswith(f"a run, test split\n\n{ROWS}| score | 0.25 | 9 |\n")


def test_every_table_says_how_much_of_the_source_the_data_covers(
    tiny_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = counted(tiny_shards, tmp_path / "shards", {"train": {"found": 30, "expected": 40}})
    stage, report, logger = ScriptedStage([0.2, 0.3]), Report(Origins()), CSVLogger(tmp_path, "run")
    monkeypatch.setattr(stage, "on_test_epoch_end", lambda: stage.log("test/score", 0.25))
    trainer = fit(stage, shards, tmp_path, report, Best(AIM, [report]), logger=logger, max_epochs=1)
    line = "coverage: train 27 of 40\n"
    assert (Path(logger.log_dir) / "table.md").read_text().endswith(f"| score | 0.2 | 9 |\n\n{line}")
    trainer.test(stage, scripted_data(shards), verbose=False)
    assert capsys.readouterr().out.endswith(f"| score | 0.25 | 9 |\n\n{line}")
    trainer.validate(stage, scripted_data(shards), verbose=False)
    assert capsys.readouterr().out.endswith(line)
