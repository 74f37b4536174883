import json
import subprocess
import sys
from pathlib import Path

import pytest

from sound2scene import cli
from written_runs import ended_process, write_run


def listed(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> tuple[str, str]:
    assert cli.main(["runs", *map(str, arguments)]) == status
    out, err = capsys.readouterr()
    return out, err


def test_runs_are_listed_with_state_best_figure_step_checkpoint_commit_and_hours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_run(tmp_path / "align" / "tiny" / "version_0")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "best.ckpt").touch()
    write_run(
        tmp_path / "b", log="", state="running", process=ended_process(), started="2026-02-01T00:00:00+00:00"
    )
    out, err = listed(capsys, tmp_path)
    head, first, second = (line.split() for line in out.splitlines())
    assert head == [
        "run",
        "recipe",
        "state",
        "step",
        "best",
        "figure",
        "value",
        "at",
        "checkpoint",
        "commit",
        "hours",
    ]
    assert first[:4] == ["align/tiny/version_0", "align/tiny", "finished", "20"]
    assert first[4:] == ["val/score", "0.75", "14", "best", "c" * 9, "0.50"]
    assert second == ["b", "align/tiny", "stopped", "0", "c" * 9, "0.50"]
    assert err == ""


def test_everything_that_is_known_of_runs_is_one_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_run(tmp_path / "a", state="failed", error="ValueError: no", resumed=[{"seconds": 1800.0}])
    (run,) = json.loads(listed(capsys, tmp_path, "--json")[0])
    assert run == {
        "folder": str(folder),
        "recipe": "align/tiny",
        "stage": "fit",
        "state": "failed",
        "error": "ValueError: no",
        "step": 20,
        "best": {"figure": "val/score", "value": 0.75, "step": 14},
        "checkpoints": [],
        "commit": "c" * 40,
        "started": None,
        "resumed": 1,
        "hours": 1.0,
        "device": "Chip",
        "processes": 2,
        "batch": 8,
        "peak_memory_gib": {"host": 1.5, "device": None},
    }


def test_hours_and_memory_are_told_by_recipe_and_hardware(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", peak_memory_gib={"host": 2.5, "device": 7.0})
    write_run(tmp_path / "c", device="Other", processes=1)
    lines = listed(capsys, tmp_path, "--hardware")[0].splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["align/tiny", "Chip", "2", "8", "2", "1.00", "2.5", "7.0"],
        ["align/tiny", "Other", "1", "8", "1", "0.50", "1.5"],
    ]


def test_a_folder_without_runs_says_so_and_a_damaged_run_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listed(capsys, tmp_path, status=1)[1] == f"sound2scene: {tmp_path}: no run in it\n"
    (write_run(tmp_path / "a") / "provenance.json").write_text("{")
    write_run(tmp_path / "b")
    out, err = listed(capsys, tmp_path)
    assert len(out.splitlines()) == 2
    assert err.startswith(f"sound2scene: {tmp_path / 'a' / 'provenance.json'}: not valid JSON")
    assert cli.main(["runs", str(tmp_path / "none")]) == 2


def test_listing_runs_loads_neither_torch_nor_lightning(tmp_path: Path) -> None:
    write_run(tmp_path / "version_0")
    code = (
        "import sys; from sound2scene import cli; assert cli.main(['runs', sys.argv[1]]) == 0; "
        "print({'torch', 'pytorch_lightning', 'numpy'} & sys.modules.keys())"
    )
    found = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "set()"
