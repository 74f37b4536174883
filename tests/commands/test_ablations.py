import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from forked_trials import ScriptedJob
from sound2scene import cli
from sound2scene.commands import ablations, sweep_trials
from sound2scene.commands.ablations import trials_of
from written_runs import write_run

RECALL = "test/class/audio_to_image/recall_at_1"


class Training:
    """Leaves finished runs in place of training, and figures in place of tests; a failure by its folder."""

    def __init__(self, failing: str = "") -> None:
        self.failing, self.begun, self.tested = failing, list[Path](), list[Path]()

    def start(self, words: Sequence[str], log: Path, environment: Mapping[str, str]) -> ScriptedJob:
        self.begun.append(log.parent)
        log.write_text("sound2scene: it went wrong\n")
        is_failing = self.failing and self.failing in str(log)
        if not is_failing:
            write_run(log.parent / "ablations" / "any" / "version_0")
        return ScriptedJob([2 if is_failing else 0])

    def measure(self, run: Path, log: Path) -> None:
        self.tested.append(run)
        value = 0.5 + 0.1 * ("l2" in str(run))
        write_run(run / "test", f"step,{RECALL}\n4,{value}\n", stage="test")


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Training:
    found = Training()
    monkeypatch.setattr(sweep_trials, "PAUSE_S", 0.001)
    monkeypatch.setattr(sweep_trials, "start_process", found.start)
    monkeypatch.setattr(ablations, "measure", found.measure)
    return found


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A base and a diff, where the command looks for them."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"trainer": "seed_everything: 0", "align/toy": "run: {name: align/toy}"}.items():
        path = Path("experiments", f"{name}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in ("base", "loss_l2"):
        Path(f"{name}.yaml").write_text(f"run: {{name: ablations/{name}}}")
    return ["ablations", "base.yaml", "loss_l2.yaml"]


def test_every_recipe_is_trained_and_tested_with_every_seed_and_one_table_written(
    training: Training, recipes: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*recipes, "--seeds", "0", "5"]) == 0
    root = Path("runs/ablations/trials")
    assert training.begun == [root / name / f"seed-{seed}" for name in ("base", "loss_l2") for seed in (0, 5)]
    assert len(training.tested) == 4
    table = Path("runs/ablations/table.md").read_text()
    assert table in capsys.readouterr().out
    assert "| loss_l2 | 0.600 | 0.600 | 0.600 | +0.100 | +0.100 to +0.100 |" in table
    assert len(Path("runs/ablations/table.csv").read_text().splitlines()) == 3


def test_what_is_done_is_not_done_again_and_further_seeds_follow(
    training: Training, recipes: list[str]
) -> None:
    assert cli.main([*recipes, "--seeds", "0"]) == 0
    assert cli.main([*recipes, "--seeds", "0", "1"]) == 0
    assert [folder.name for folder in training.begun] == ["seed-0", "seed-0", "seed-1", "seed-1"]
    assert len(training.tested) == 4


def test_a_failed_run_is_named_and_the_others_are_compared(
    training: Training, recipes: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    training.failing = "loss_l2/seed-1"
    assert cli.main([*recipes, "--seeds", "0", "1"]) == 1
    assert "loss_l2, seed 1: failed: sound2scene: it went wrong; runs/" in capsys.readouterr().err
    assert "| loss_l2 | 0.600 |  | 0.600 | +0.100 |  |" in Path("runs/ablations/table.md").read_text()


def test_a_run_that_cannot_be_measured_says_why(
    training: Training,
    recipes: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ablations, "measure", lambda run, log: log.write_text("no shards there\n"))
    assert cli.main([*recipes, "--seeds", "0"]) == 1
    assert "sound2scene: base, seed 0: not measured: no shards there; runs/" in capsys.readouterr().err
    monkeypatch.setattr(ablations, "measure", training.measure)
    assert cli.main([*recipes, "--seeds", "0"]) == 0  # what was trained is measured now
    assert len(training.begun) == 2


def test_another_recipe_or_length_under_the_same_name_is_refused(
    training: Training, recipes: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*recipes, "--seeds", "0"]) == 0
    assert cli.main([*recipes, "--seeds", "0", "--length", "2"]) == 2
    Path("loss_l2.yaml").write_text("run: {name: ablations/loss_l2, publish: null}")
    assert cli.main([*recipes, "--seeds", "0"]) == 2
    assert "choose another --output" in capsys.readouterr().err
    assert len(training.begun) == 2


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (None, []),
        (3, ["--trainer.max_epochs=3"]),
        (0.25, ["--trainer.max_epochs=1", "--trainer.limit_train_batches=0.25"]),
    ],
)
def test_a_length_is_in_epochs(length: float | None, words: list[str], recipes: list[str]) -> None:
    found = trials_of(
        [Path("base.yaml")], Path("experiments/align/toy.yaml"), [7], length, Path("runs"), True
    )
    command = found["base"][7].command()
    assert command[:7] == [
        *("fit", "-c", "experiments/trainer.yaml", "-c", "experiments/align/toy.yaml", "-c", "base.yaml"),
    ]
    assert command[7:-2] == [*words, "--seed_everything=7"]
    assert command[-1] == "--run.wandb=true"
    assert json.loads(Path("runs/trials/base/sweep.json").read_text())["length"] == length
