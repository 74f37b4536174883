import csv
import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from forked import Ended, command
from forked import run as run_forked
from killed_run import go_on, run, run_interrupted, weights
from selected import first
from sound2scene import files
from sound2scene.commands.resumption import measurement, resumption
from sound2scene.types import InputError
from test_runs import judge_recipe
from tiny import tiny_dataset

BATCHES = 18
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}
TOLD = {signal.SIGINT: "stopped by Ctrl-C", signal.SIGTERM: "stopped by SIGTERM"}


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of 27 clips to train on: six whole batches of four, and three left over."""
    return tiny_dataset(tmp_path_factory.mktemp("resumption") / "shards", train=27)


@pytest.fixture(scope="module")
def whole(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never stopped."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(judge_recipe(folder, shards, batch_size=4))
    return folder


def logged(folder: Path) -> list[dict[str, str]]:
    """What a run logged, without what depends on the time."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]
    kept = [{key: value for key, value in row.items() if not key.startswith("speed/")} for row in rows]
    return sorted((row for row in kept if row.keys() > {"epoch", "step"}), key=repr)


def check_equals(whole: Path, stopped: Path, ended: Ended, number: signal.Signals) -> None:
    """A run that was stopped by a signal goes on in its folder, and is as if it had never stopped."""
    folder = stopped / "runs/judge/tiny/version_0"
    assert ended.status == STATUS[number], ended.err[-2000:]
    if number in TOLD:
        told = f"sound2scene: {TOLD[number]}; go on with `sound2scene fit --resume {folder}`"
        assert ended.err.splitlines()[-1] == told
        assert "Traceback" not in ended.err
    go_on(folder)
    expected, found = weights(whole, "last"), weights(stopped, "last")
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert logged(folder) == logged(whole / "runs/judge/tiny/version_0")
    assert "resumed" in json.loads((folder / "provenance.json").read_text())
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"last.ckpt"}


@pytest.mark.costly
@pytest.mark.parametrize(
    ("number", "workers"),
    first([(signal.SIGINT, 1), (signal.SIGTERM, 0), (signal.SIGTERM, 1), (signal.SIGINT, 0)]),
)
def test_a_run_that_is_asked_to_stop_goes_on_as_if_it_never_had(
    whole: Path, shards: Path, tmp_path: Path, number: signal.Signals, workers: int
) -> None:
    recipe = judge_recipe(tmp_path / "run", shards, batch_size=4)
    ended = run_interrupted(recipe, f"--data.init_args.workers={workers}", after=8, number=int(number))
    state = torch.load(recipe.parent / "runs/judge/tiny/version_0/checkpoints/last.ckpt", weights_only=True)
    assert state["global_step"] == 8  # the step under way was finished
    check_equals(whole, recipe.parent, ended, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", STATUS)
@pytest.mark.parametrize("moment", range(4))
def test_a_run_that_is_stopped_at_any_moment_goes_on_as_if_it_never_had(
    whole: Path, shards: Path, tmp_path: Path, number: signal.Signals, moment: int
) -> None:
    recipe = judge_recipe(tmp_path / "run", shards, batch_size=4)
    dice = random.Random(moment)
    ended = run_interrupted(
        recipe,
        f"--data.init_args.workers={moment % 3}",
        after=dice.randint(6, BATCHES - 3),
        number=int(number),
        delay_s=dice.uniform(0, 0.03),
    )
    check_equals(whole, recipe.parent, ended, number)


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "--resume"],
        ["validate", "--resume", "runs"],
        ["fit", "--resume", "runs", "--ckpt_path", "last.ckpt"],
    ],
)
def test_only_fit_goes_on_and_only_from_its_own_state(arguments: list[str]) -> None:
    with pytest.raises(InputError, match=r"^--resume: give `sound2scene fit --resume RUNFOLDER`, without"):
        resumption(arguments)


@pytest.mark.parametrize("missing", ["recipe.yaml", "checkpoints/last.ckpt"])
def test_a_folder_without_a_state_is_an_error_and_no_new_run(tmp_path: Path, missing: str) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in {"recipe.yaml", "checkpoints/last.ckpt"} - {missing}:
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=f"{missing}: not there, so nothing can go on from it; start"):
        resumption(["fit", "--resume", str(tmp_path)])


def test_a_run_goes_on_only_when_no_process_trains_it(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in ("recipe.yaml", "checkpoints/last.ckpt"):
        (tmp_path / name).touch()
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    host = files.this_process().rpartition("-")[0]
    about = {"state": "running", "process": f"{host}-{sleeper.pid}"}
    (tmp_path / "provenance.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match=f"is still trained by process {sleeper.pid}; let it end"):
        resumption(["fit", "--resume", str(tmp_path)])
    sleeper.kill()
    sleeper.wait()
    assert resumption(["fit", "--resume", str(tmp_path)])[0] == tmp_path


def test_further_keys_come_after_the_recipe_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    recipe, last = tmp_path / "recipe.yaml", tmp_path / "checkpoints" / "last.ckpt"
    recipe.touch()
    last.touch()
    folder, arguments = resumption(["fit", "--resume", str(tmp_path), "--trainer.max_epochs", "9"])
    assert folder == tmp_path
    assert arguments == [*["fit", "-c", str(recipe), "--trainer.max_epochs", "9", "--ckpt_path", str(last)]]


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A run folder with both checkpoints."""
    (tmp_path / "checkpoints").mkdir()
    for name in ("recipe.yaml", "checkpoints/best.ckpt", "checkpoints/last.ckpt"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("word", ["validate", "test", "predict"])
@pytest.mark.parametrize(
    ("more", "name"),
    [([], "best.ckpt"), (["--ckpt_path", "best"], "best.ckpt"), (["--ckpt_path", "last"], "last.ckpt")],
)
def test_a_run_is_measured_by_its_folder_and_the_figures_go_there(
    trained: Path, word: str, more: list[str], name: str
) -> None:
    recipe, path = trained / "recipe.yaml", trained / "checkpoints" / name
    keys = ["--trainer.accelerator", "cpu"]
    assert measurement([word, str(trained), *keys, *more]) == (
        trained / word,
        [word, "-c", str(recipe), *keys, "--ckpt_path", str(path)],
    )
    assert measurement([word, "-c", str(recipe)]) is None


def test_a_run_without_a_best_state_is_measured_at_its_last(trained: Path) -> None:
    (trained / "checkpoints" / "best.ckpt").unlink()
    found = measurement(["test", str(trained)])
    assert found is not None
    assert found.arguments[-1] == str(trained / "checkpoints" / "last.ckpt")
    with pytest.raises(InputError, match=r"checkpoints: no best.ckpt there; train the run first, or name a"):
        measurement(["test", str(trained), "--ckpt_path", "best"])


def test_a_word_that_is_no_run_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/recipe.yaml: not there; name the folder of a run"):
        measurement(["test", str(tmp_path / "nowhere")])


@pytest.mark.costly
def test_test_writes_its_table_beside_the_run_it_measures(whole: Path) -> None:
    folder = whole / "runs/judge/tiny/version_0"
    ended = run_forked(command, "test", str(folder), "--ckpt_path", "last")
    assert ended.status == 0, ended.err[-2000:]
    assert ended.out.count("judge/tiny, seed 0") == 1
    assert "| accuracy |" in (folder / "test" / "table.md").read_text()
    assert {path.name for path in folder.parent.iterdir()} == {"version_0"}
