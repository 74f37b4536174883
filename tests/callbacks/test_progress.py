import re
from pathlib import Path

import pytest
import pytorch_lightning as pl
from pytorch_lightning.loggers import CSVLogger

from ranks import Rank
from scripted import ScriptedStage, fit, scripted_trainer
from sound2scene.callbacks import progress
from sound2scene.callbacks.improvement import Best
from sound2scene.callbacks.progress import Counted, Progress
from sound2scene.callbacks.throughput import Throughput
from sound2scene.runs import Aim


def told(
    shards: Path, folder: Path, capsys: pytest.CaptureFixture[str], scores: list[float], **extra: float
) -> list[str]:
    """What a fit says."""
    best = Best(Aim("val/score"), [])
    stage = ScriptedStage(scores, {name.replace("_", "/"): value for name, value in extra.items()})
    logger = CSVLogger(folder, "", "run")
    callbacks = Throughput(1), best, Progress("encoder/scripted", best)
    fit(stage, shards, folder, *callbacks, max_epochs=len(scores), logger=logger, log_every_n_steps=1)
    return capsys.readouterr().out.splitlines()


def test_a_log_tells_a_run_in_a_line_per_validation(
    tiny_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *rest = told(
        tiny_shards, tmp_path, capsys, [0.2, 0.5, 0.3], val_chance=0.125, train_chance=1.5, train_floor=0.5
    )
    assert first == f"encoder/scripted: 3 epochs of 3 batches; {tmp_path / 'run'}"
    assert len(rest) == 3
    lines = [re.sub(r"loss -?[\d.]+", "loss L", re.sub(r"[\d.]+ clips", "S clips", line)) for line in rest]
    best = "  best so far, artifact and best.ckpt written"
    scored = zip(lines, ("0.2", "0.5", "0.3"), (best, best, ""), strict=True)
    for number, (line, score, more) in enumerate(scored, 1):
        assert line.startswith(
            f"batch {3 * number}/9  epoch {number}  loss L (chance 1.500, floor 0.500)  S clips/s"
        )
        assert f"  score {score} (chance 0.125){more}  0:0" in line
        assert line.endswith(" left")


def test_between_validations_a_file_gets_a_line_when_it_is_time(
    tiny_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_S", 0.0)
    lines = told(tiny_shards, tmp_path, capsys, [0.2])
    assert [line.split("  ")[0] for line in lines[1:]] == ["batch 1/3", "batch 2/3", "batch 3/3", "batch 3/3"]


def test_a_terminal_gets_a_bar_and_the_lines_of_validations_above_it(
    tiny_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sound2scene.progress.is_terminal", "sound2scene.callbacks.progress.is_terminal"):
        monkeypatch.setattr(name, lambda: True)
    best = Best(Aim("val/score"), [])
    callbacks = best, Progress("encoder/scripted", best)
    fit(ScriptedStage([0.2]), tiny_shards, tmp_path, *callbacks, max_epochs=1)
    out, err = capsys.readouterr()
    assert "training: 100%" in err
    assert "batch 3/3" in out


def test_a_prediction_is_counted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    class Spy(Counted):
        def on_predict_batch_end(self, *rest: object) -> None:  # type: ignore[override]
            super().on_predict_batch_end(*rest)  # type: ignore[arg-type]
            assert self._bar is not None
            seen.append(self._bar.done)

    trainer = scripted_trainer(Path("."))
    spy = Spy(3, "choosing moments", "video")
    spy.on_predict_start(trainer, ScriptedStage([]))
    for _ in range(3):
        spy.on_predict_batch_end(trainer, ScriptedStage([]))
    spy.on_predict_end(trainer, ScriptedStage([]))
    assert seen == [1, 2, 3]


def test_no_process_waits_alone_for_the_folder(tmp_path: Path) -> None:
    ranks = [Rank(tmp_path, number) for number in range(2)]
    for rank in ranks:
        Progress("encoder/scripted", None).on_train_start(rank, pl.LightningModule())
    assert [rank.asked for rank in ranks] == [1, 1]
