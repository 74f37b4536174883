import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pytorch_lightning.loggers import CSVLogger, WandbLogger
from pytorch_lightning.trainer.states import TrainerFn

from ranks import Rank
from scripted import ScriptedStage, fit
from sound2scene.callbacks.export import ExportArtifact
from sound2scene.callbacks.improvement import Best
from sound2scene.callbacks.provenance import Origins
from sound2scene.callbacks.report import Report
from sound2scene.callbacks.wandb_record import WandbRecord
from sound2scene.runs import Aim

RECIPE: dict[str, Any] = {"run": {"name": "encoder/scripted"}, "model": {"init_args": {"rate": 0.5}}}


class Drawing(ExportArtifact):
    """Draws a picture into the run folder at each best validation."""

    def improved(self, trainer: Any, pl_module: Any) -> None:
        super().improved(trainer, pl_module)
        (Path(trainer.log_dir) / "samples").mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(Path(trainer.log_dir) / "samples" / "0.png")


def watched(run: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[list[dict[str, Any]], list[Any]]:
    """What is logged into a run, and its artifacts."""
    logged: list[dict[str, Any]] = []
    artifacts: list[Any] = []
    log, log_artifact = run.log, run.log_artifact

    def noted(data: dict[str, Any], *rest: Any, **more: Any) -> None:
        logged.append(data)
        log(data, *rest, **more)

    def kept(artifact: Any) -> None:
        artifacts.append(artifact)
        log_artifact(artifact)

    monkeypatch.setattr(run, "log", noted)
    monkeypatch.setattr(run, "log_artifact", kept)
    return logged, artifacts


@pytest.mark.costly
def test_an_offline_run_holds_config_pictures_table_and_artifact(
    tiny_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "staging"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    csv = CSVLogger(tmp_path, "", "run")
    origins = Origins(RECIPE, "1234567", {"train": "a" * 64})
    wandb_logger = WandbLogger(name="scripted", project="tests", save_dir=tmp_path / "run")
    (tmp_path / "run").mkdir()
    report = Report(origins)
    callbacks = report, Best(Aim("val/score"), [report, Drawing(origins)]), WandbRecord(origins)
    settings: dict[str, Any] = {"logger": [csv, wandb_logger], "max_epochs": 2, "log_every_n_steps": 1}
    run = wandb_logger.experiment
    logged, artifacts = watched(run, monkeypatch)
    try:
        fit(ScriptedStage([0.2, 0.5]), tiny_shards, tmp_path, *callbacks, **settings)
        assert run.config["model"]["init_args"]["rate"] == 0.5
        assert run.config["origin"] == {"commit": "1234567", "data": {"train": "a" * 64}}
    finally:
        run.finish()
    names = {name for entry in logged for name in entry}
    assert {"pictures/samples/0", "pictures/curves", "table", "val/score", "train/loss"} <= names
    files = Path(run.dir)
    assert len(list(files.glob("media/images/pictures/samples/0_*.png"))) == 2
    (table,) = files.glob("media/table/table_*.json")
    assert json.loads(table.read_text())["data"][0][:2] == ["score", "0.5"]
    assert (tmp_path / "run" / "artifact" / "card.json").exists()
    # W&B makes an artifact of its own of each table.
    (artifact,) = [one for one in artifacts if one.type == "image-encoder"]
    assert artifact.name.partition(":")[0] == "scripted-image-encoder"
    assert set(artifact.manifest.entries) == {"card.json", "weights.safetensors"}
    assert artifact.metadata["metrics"]["val/score"] == 0.5


def test_no_process_waits_alone_for_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Run:
        """Takes pictures, and keeps none."""

        def log(self, data: dict[str, Any]) -> None: ...

    monkeypatch.setattr(WandbLogger, "experiment", Run())
    loggers = [CSVLogger(tmp_path, "", "run"), WandbLogger(project="tests", save_dir=tmp_path)]
    asked = []
    for number in range(2):
        rank, record = Rank(tmp_path, number, logger=loggers), WandbRecord(Origins(RECIPE, "1234567", {}))
        rank.state.fn = TrainerFn.FITTING
        record.on_validation_end(rank, ScriptedStage([]))
        record.on_fit_end(rank, ScriptedStage([]))
        asked.append(rank.asked)
    assert asked == [2, 2]
