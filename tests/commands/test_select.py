from pathlib import Path

import pytest

from forked import Forked, command
from made_videos import write_video
from sound2scene import artifacts, cli
from sound2scene.commands import selection_run
from sound2scene.data.selection.file import Choice, Selection
from sound2scene.moments import Scorer
from tiny import tiny_localizer

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
    assert given == [["a"], "Loudest", output, 3, 0, "listening.loudest", True, "", settings]
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
    (line,) = [line for line in err.splitlines() if "no video can be used, for instance a: " in line]
    assert "a.mp4" in line
    assert Selection.load(output).rejected["a"][0] == "undecodable"


@pytest.mark.parametrize(
    ("trained", "folder", "told"),
    [
        ("toy", "mine", "localizer trained on the toy world alone: what it chooses in mine means little"),
        ("theirs", "mine", "localizer trained on theirs: whether it is right in mine, look at the sheet"),
        ("mine", "mine", ""),
        ("toy", "toy-videos", ""),
        ("toy", "toy-videos/val", ""),
        (None, "mine", ""),
    ],
)
def test_a_localizer_trained_on_something_else_says_so_on_the_terminal_and_on_the_sheet(
    trained: str | None,
    folder: str,
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notes = {} if trained is None else {"data": trained}
    card = {"kind": "localizer", "preset": "log_mel", "notes": notes}
    localizer = artifacts.save(tiny_localizer(), tmp_path / "localizer", card=card)
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "a.mp4").touch()
    (tmp_path / "toy-videos").mkdir(exist_ok=True)
    (tmp_path / "toy-videos" / "toy.json").touch()
    given: list[object] = []
    monkeypatch.setattr(selection_run, "select_moments", lambda *more, **_: given.extend(more) or CHOSEN)
    more = ["-o", str(tmp_path / "s.json"), "--localizer", str(localizer)]
    assert cli.main(["select", str(tmp_path / folder), *more]) == 0
    assert given[-1] == told
    err = capsys.readouterr().err
    assert (f"sound2scene: {told}; experiments/localizer/videos.yaml" in err) if told else not err


def test_of_several_processes_the_first_one_alone_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    card = {"kind": "localizer", "preset": "log_mel", "notes": {"data": "toy"}}
    localizer = artifacts.save(tiny_localizer(), tmp_path / "localizer", card=card)
    (tmp_path / "a.mp4").touch()
    monkeypatch.setattr(selection_run, "select_moments", lambda *_, **__: CHOSEN)
    more = ["-o", str(tmp_path / "s.json"), "--localizer", str(localizer), "--accelerator", "cpu"]
    told = []
    for rank in ("0", "1"):
        # What Lightning tells a process that it starts; the processes meet later.
        monkeypatch.setenv("LOCAL_RANK", rank)
        assert cli.main(["select", str(tmp_path), *more, "--devices", "2"]) == 0
        told.append("trained on the toy world alone" in capsys.readouterr().err)
    assert told == [True, False]


def test_the_toy_localizer_in_git_says_on_what_it_was_trained() -> None:
    toy = Path(__file__).parents[2] / "experiments" / "artifacts" / "toy"
    for part in ("localizer", "image-encoder", "generator", "judge"):
        assert artifacts.read_card(toy / part).origin.notes["data"] == "toy"


@pytest.mark.slow
def test_two_that_select_into_one_file_end_well_and_one_says_that_it_waited(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    for name in ("a", "b"):
        write_video(tmp_path / "videos" / f"{name}.mp4", 10.0)
    given = ["select", str(tmp_path / "videos"), "-o", str(tmp_path / "out" / "s.json"), "--scorer", "middle"]
    machine = ["--workers", "0", "--accelerator", "cpu", "--devices", "1"]
    ended = [one.wait() for one in [Forked(command, *given, *machine) for _ in range(2)]]
    assert [one.status for one in ended] == [0, 0], ended
    assert not any("Traceback" in one.err for one in ended)
    assert set(Selection.load(tmp_path / "out" / "s.json").videos) == {"a", "b"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"s.json", "s.png"}
