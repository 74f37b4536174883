import csv
from pathlib import Path

import pytest
from PIL import Image

from sound2scene.commands.sweep_results import labels, ranked, result, shown, varied, write_results
from sound2scene.commands.sweep_trials import Ended, Trial
from sound2scene.runs import Aim
from written_runs import write_run

AIM = Aim("val/score")
LR, LOSS = "model.init_args.optimizer.init_args.lr", "model.init_args.loss"


def log(score: float) -> str:
    return f"step,val/score\n4,{score - 1}\n9,{score}\n"


def make_trials(folder: Path) -> list[Trial]:
    """A good, a better and a failed trial, and one that has not begun."""
    values = [{LR: 10.0**-n, LOSS: f"a.b.Loss{n % 2}", "same": [1, 2]} for n in range(4)]
    trials = [Trial(n, folder / "trials" / f"{n:03d}", one, []) for n, one in enumerate(values)]
    for trial in trials:
        trial.folder.mkdir(parents=True)
    write_run(trials[0].folder / "s" / "r" / "version_0", log(0.25))
    write_run(trials[1].folder / "s" / "r" / "version_0", log(0.5))
    trials[2].note(Ended(2, "sound2scene: no | such"))
    return trials


def test_the_table_has_the_best_trial_first_and_names_the_failed_one(tmp_path: Path) -> None:
    results = ranked([result(one, AIM) for one in make_trials(tmp_path)], smaller_is_better=False)
    table = write_results(tmp_path, results, AIM.monitor)
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]
    assert rows[0] == ["trial", "state", "lr", "loss", "val/score", "at step", "hours", "run folder"]
    assert rows[2] == ["1", "finished", "0.1", "Loss1", "0.5", "9", "0.50", "trials/001/s/r/version_0"]
    assert [row[:2] for row in rows[3:]] == [["0", "finished"], ["2", "failed"], ["3", "waiting"]]
    written = (tmp_path / "table.md").read_text()
    assert written == table + "\n- trial 2 failed: sound2scene: no | such\n"
    with (tmp_path / "table.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [(row["trial"], row[LR], row[LOSS], row["val/score"]) for row in found][:2] == [
        ("1", "0.1", "a.b.Loss1", "0.5"),
        ("0", "1.0", "a.b.Loss0", "0.25"),
    ]
    assert min(Image.open(tmp_path / "parallel.png").size) > 300


@pytest.mark.parametrize(("smaller", "order"), [(False, [1, 0, 2, 3]), (True, [0, 1, 2, 3])])
def test_the_metric_says_whether_small_is_good(smaller: bool, order: list[int], tmp_path: Path) -> None:
    results = ranked([result(one, AIM) for one in make_trials(tmp_path)], smaller)
    assert [one.trial.number for one in results] == order


def test_without_a_metric_the_recipe_of_each_run_says_what_is_best(tmp_path: Path) -> None:
    (trial, *_) = make_trials(tmp_path)
    found = result(trial, None)
    assert found.best is None or found.best.name == "val/score"
    (failed,) = [result(one, None) for one in make_trials(tmp_path / "more") if one.number == 2]
    assert (failed.state, failed.best, failed.said) == ("failed", None, "sound2scene: no | such")


def test_only_what_differs_is_a_column_under_the_shortest_name_that_tells_it_apart(tmp_path: Path) -> None:
    trials = make_trials(tmp_path)
    assert varied(trials) == [LR, LOSS]
    assert varied(trials[:1]) == [LR, LOSS, "same"]
    keys = [
        "model.init_args.g_opt.init_args.lr",
        "model.init_args.d_opt.init_args.lr",
        "seed",
        "data.class_path",
    ]
    assert labels(keys) == ["g_opt.lr", "d_opt.lr", "seed", "data"]
    assert labels(["a.x", "b.a.x"]) == ["a.x", "b.a.x"]


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("sound2scene.losses.infonce.L2InfoNCE", "L2InfoNCE"),
        ({"class_path": "a.B", "init_args": {"t": 0.123456, "n": None}}, "B(t=0.1235, n=None)"),
        ({"class_path": "a.B"}, "B"),
        ("folder/file.yaml", "folder/file.yaml"),
        (1e-05, "1e-05"),
        (None, "None"),
        ([], "[]"),
    ],
)
def test_values_are_shown_in_few_letters(value: object, word: str) -> None:
    assert shown(value) == word
