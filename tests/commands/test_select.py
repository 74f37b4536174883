from pathlib import Path

import pytest

from sound2scene import cli
from sound2scene.commands import selection_run
from sound2scene.data.selection.file import Choice, Selection
from sound2scene.moments import Scorer

CHOSEN = Selection({}, {"a": Choice((1.0,), (0.5,), 10.0)}, {"b": ("silent", "b.mp4: silent")})


def test_every_option_reaches_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []

    def run(videos: dict[str, Path], scorer: Scorer, *more: object, **machine: object) -> Selection:
        given.extend([list(videos), type(scorer).__name__, *more, machine])
        return CHOSEN

    monkeypatch.setattr(selection_run, "select_moments", run)
    (tmp_path / "a.mp4").touch()
    output = tmp_path / "s.json"
    more = ["--scorer", "listening.loudest", "--top-k", "3", "--workers", "0", "--retry-rejected"]
    machine = ["--accelerator", "cpu", "--devices", "2", "--nodes", "4"]
    assert cli.main(["select", str(tmp_path), "--output", str(output), *more, *machine]) == 0
    settings = {"accelerator": "cpu", "devices": "2", "num_nodes": 4}
    assert given == [["a"], "Loudest", output, 3, 0, "listening.loudest", True, settings]
    assert capsys.readouterr().out == f"{output}: 1 videos with moments, 1 rejected (silent 1)\n"


def test_a_missing_localizer_is_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    given = ["select", str(tmp_path), "-o", str(tmp_path / "s.json"), "--localizer", str(tmp_path / "none")]
    assert cli.main(given) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sound2scene: ")]
    assert f"{tmp_path / 'none'}: no artifact" in line
    assert not (tmp_path / "s.json").exists()


def test_nothing_but_rejected_videos_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.mp4").write_text("not a video")
    output = tmp_path / "selection.json"
    given = ["select", str(tmp_path), "-o", str(output), "--scorer", "middle", "--workers", "0"]
    assert cli.main([*given, "--accelerator", "cpu", "--devices", "1"]) == 1
    out, err = capsys.readouterr()
    assert "0 videos with moments, 1 rejected (undecodable 1)" in out
    (line,) = [line for line in err.splitlines() if line.startswith("none of the 1 videos can be used; a: ")]
    assert "a.mp4" in line
    assert Selection.load(output).rejected["a"][0] == "undecodable"
