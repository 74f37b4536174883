import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sound2scene.commands.run_folders import RunFolder, read_rows, run_folder, run_folders
from sound2scene.runs import Aim
from sound2scene.types import InputError
from written_runs import ended_process, write_run


def test_the_best_validation_of_a_run_is_the_one_that_its_recipe_means(tmp_path: Path) -> None:
    run = run_folder(write_run(tmp_path / "a"))
    best = run.best()
    assert best is not None
    assert (best.name, best.value, best.step) == ("val/score", 0.75, 14)  # by the second figure
    other = run.best(Aim("val/fid", smaller_is_better=True))
    assert other is not None
    assert (other.name, other.value, other.step) == ("val/fid/n256", 7.0, 19)
    assert run.best(Aim("val/none")) is None
    assert run_folder(write_run(tmp_path / "b", aim=None)).best() is None
    assert run_folder(write_run(tmp_path / "c", log="")).best() is None
    assert (run.step, run.recipe, run.state) == (20, "align/tiny", "finished")


def test_a_run_whose_process_is_gone_was_stopped(tmp_path: Path) -> None:
    states = {
        "mine": {"state": "running"},
        "gone": {"state": "running", "process": ended_process()},
        "elsewhere": {"state": "running", "process": f"{'0' * 12}-1"},
        "failed": {"state": "failed", "process": ended_process()},
        "odd": {"state": "dreaming"},
    }
    for name, about in states.items():
        write_run(tmp_path / name, **about)
    found = {run.path.name: run.state for run in run_folders(tmp_path) if isinstance(run, RunFolder)}
    assert found == {
        "mine": "running",
        "gone": "stopped",
        "elsewhere": "running",
        "failed": "failed",
        "odd": "unknown",
    }


def test_hours_count_every_stretch_of_a_run_and_of_one_that_runs_until_now(tmp_path: Path) -> None:
    before = {"seconds": 3600.0, "started": "2025-01-01T00:00:00+00:00"}
    run = run_folder(write_run(tmp_path / "a", resumed=[before, before]))
    assert (run.hours, len(run.sittings)) == (2.5, 3)
    begun = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    assert run_folder(write_run(tmp_path / "b", state="running", started=begun)).hours == pytest.approx(
        2, 0.01
    )


def test_records_of_older_runs_are_read_without_a_state(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "align" / "old" / "version_0", resumed={"commit": None})
    (folder / "provenance.json").write_text(json.dumps({"command": ["x"], "stage": "fit", "resumed": {}}))
    run = run_folder(folder)
    assert (run.state, run.recipe, len(run.sittings), run.best()) == ("unknown", "old", 2, None)


def test_runs_come_in_the_order_in_which_they_began_and_a_damaged_one_stops_no_other(tmp_path: Path) -> None:
    write_run(tmp_path / "x" / "version_2", started="2026-01-02T00:00:00+00:00")
    write_run(tmp_path / "x" / "version_10", started="2026-01-03T00:00:00+00:00")
    write_run(tmp_path / "y" / "version_0", started="2026-01-01T00:00:00+00:00")
    (write_run(tmp_path / "z") / "provenance.json").write_text("{")
    write_run(tmp_path / "w", log="step\nx\n")
    found = list(run_folders(tmp_path))
    assert [one.path.name for one in found if isinstance(one, RunFolder)] == [
        "version_0",
        "version_2",
        "version_10",
    ]
    errors = sorted(str(one) for one in found if isinstance(one, InputError))
    assert [error.partition(": ")[0] for error in errors] == [
        str(tmp_path / "w" / "metrics.csv"),
        str(tmp_path / "z" / "provenance.json"),
    ]


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "step\nx\n", "step,a\n1,2,3\n", "step,a\nnan,1\n", "\0"])
def test_what_is_no_log_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(text)
    try:
        rows = read_rows(tmp_path / "metrics.csv")
    except InputError as error:
        assert str(error).startswith(f"{tmp_path / 'metrics.csv'}: no log of a run (")  # noqa: PT017
    else:
        assert rows == []


def test_checkpoints_are_those_that_are_there_the_best_first(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a")
    (folder / "checkpoints").mkdir()
    for name in ("last.ckpt", "best.ckpt", "other.ckpt"):
        (folder / "checkpoints" / name).touch()
    assert [path.name for path in run_folder(folder).checkpoints()] == ["best.ckpt", "last.ckpt"]
