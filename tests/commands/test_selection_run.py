import json
import os
import random
import re
import shutil
import signal
import time
from pathlib import Path

import pytest
from torch import nn

from forked import Forked, run_pair
from listening import Loudest, Noted
from sound2scene import cli
from sound2scene.callbacks import contact_sheet
from sound2scene.commands import selection_run
from sound2scene.commands.selection_run import scorer_of, select_moments
from sound2scene.data.selection.file import FORMAT, Selection
from sound2scene.data.toy import world as toy
from sound2scene.data.video.find import find_videos
from sound2scene.models.scorers import Middle, Random
from sound2scene.moments import Choice, Moments, Scored
from sound2scene.types import InputError
from tiny import tiny_localizer

COUNT = 12
PARTS = "selection.json.part-0.jsonl"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve videos of the toy world and a file that is none."""
    folder = tmp_path_factory.mktemp("videos")
    toy.write_videos(folder, {"train": COUNT}, 0, 3, workers=1)
    (folder / "train" / "broken.mp4").write_text("not a video")
    return folder


@pytest.fixture(scope="module")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Selection of `Loudest` in one go."""
    output = tmp_path_factory.mktemp("undisturbed") / "selection.json"
    select_moments(find_videos(folder), Loudest(), output, top_k=3, workers=1)
    return output


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_best_moments_lie_within_the_true_sound(folder: Path, undisturbed: Path) -> None:
    chosen = Selection.load(undisturbed)
    truths = {f"train/{truth.key}": truth.sources[0] for truth in toy.read_truth(folder, "train")}
    assert chosen.videos.keys() == truths.keys()
    for key, choice in chosen.videos.items():
        assert truths[key].start_s - 0.1 <= choice.moments_s[0] <= truths[key].end_s
        assert len(choice.moments_s) == 3
        assert list(choice.scores) == sorted(choice.scores, reverse=True)
        assert choice.duration_s == pytest.approx(10, abs=0.1)
    assert chosen.scorer == {"name": "listening.Loudest", "fingerprint": None, "settings": {"top_k": 3}}
    assert names(undisturbed.parent) == {"selection.json", "selection.png"}


def test_what_cannot_be_scored_is_listed_with_its_kind(undisturbed: Path) -> None:
    ((key, (kind, reason)),) = Selection.load(undisturbed).rejected.items()
    assert (key, kind) == ("train/broken", "undecodable")
    assert "broken.mp4" in reason
    assert "\n" not in reason


def select_noted(folder: Path, output: Path) -> None:
    select_moments(find_videos(folder), Noted(), output, top_k=3, workers=0)


def disturb(folder: Path, output: Path, log: Path, ready: int, delay_s: float) -> None:
    """Start a selection and kill it when `ready` videos are done and some time has passed, before all are."""
    part = output.with_name(PARTS)

    def done() -> int:
        return part.read_bytes().count(b"\n") - 1 if part.exists() else 0

    environment = os.environ | {"SCORED": str(log), "SCORED_AT_MOST": str(ready + 1 - max(done(), 0))}
    process = Forked(select_noted, folder, output, environment=environment)
    while done() < ready and process.is_running():
        time.sleep(0.01)
    time.sleep(delay_s)
    ended = process.kill()
    assert ended.status == -signal.SIGKILL, ended.err


def assert_kills_leave_no_trace(
    folder: Path,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kills: list[tuple[int, float]],
) -> None:
    log = tmp_path / "scored.txt"
    monkeypatch.setenv("SCORED", str(log))
    output = tmp_path / "out" / "selection.json"
    for ready, delay_s in kills:
        disturb(folder, output, log, ready, delay_s)
    assert not output.exists()
    with output.with_name(PARTS).open("ab") as part:
        part.write(b'{"key": "train/toy-train-0')  # a kill in the midst of a line
    select_noted(folder, output)
    whole, expected = Selection.load(output), Selection.load(undisturbed)
    assert (whole.videos, whole.rejected) == (expected.videos, expected.rejected)
    assert output.read_bytes() == undisturbed.read_bytes().replace(b"listening.Loudest", b"listening.Noted")
    assert names(output.parent) == {"selection.json", "selection.png"}
    scored = log.read_text().split()
    drawn = contact_sheet.COUNT  # once more, for the sheet
    assert COUNT + drawn <= len(scored) <= COUNT + drawn + len(kills)  # at most one in flight at each kill


@pytest.mark.slow
def test_kills_at_any_moment_leave_no_trace(
    folder: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(0)
    kills = [(ready, dice.uniform(0, 0.2)) for ready in (0, 2, 6, 9)]
    assert_kills_leave_no_trace(folder, undisturbed, tmp_path, monkeypatch, kills)


@pytest.mark.slow
def test_ten_kills_leave_no_trace(
    folder: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(1)
    kills = [(ready, dice.uniform(0, 0.3)) for ready in (0, 0, 1, 2, 4, 5, 6, 8, 9, 11)]
    assert_kills_leave_no_trace(folder, undisturbed, tmp_path, monkeypatch, kills)


def select_on_two(folder: Path, *outputs: Path) -> None:
    for output in outputs:
        found = select_moments(
            find_videos(folder), Loudest(), output, top_k=3, workers=0, accelerator="cpu", devices=2
        )
        assert len(found.videos) == COUNT


@pytest.mark.slow
def test_two_processes_choose_what_one_does_even_if_only_one_video_is_left(
    folder: Path, undisturbed: Path, tmp_path: Path
) -> None:
    fresh, begun = tmp_path / "fresh" / "selection.json", tmp_path / "begun" / "selection.json"
    header = json.dumps({"format": FORMAT, "scorer": dict(Selection.load(undisturbed).scorer)})
    rows = [{"key": key, **choice.as_json()} for key, choice in Selection.load(undisturbed).videos.items()]
    begun.parent.mkdir()
    lines = [header, *map(json.dumps, rows[:5])]
    begun.with_name("selection.json.part-4.jsonl").write_text("".join(f"{line}\n" for line in lines))
    lines = [header, *map(json.dumps, rows[5:])]
    begun.with_name("selection.json.part-1.jsonl").write_text("".join(f"{line}\n" for line in lines))
    ended = run_pair(select_on_two, folder, fresh, begun)
    assert [one.status for one in ended] == [0, 0], "\n".join(one.err[-3000:] for one in ended)
    for output in (fresh, begun):
        assert output.read_bytes() == undisturbed.read_bytes()
        assert names(output.parent) == {"selection.json", "selection.png"}


def test_a_finished_selection_is_kept_and_only_new_videos_are_scored(
    folder: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORED", str(tmp_path / "scored.txt"))
    monkeypatch.setattr(contact_sheet, "COUNT", 0)
    output = tmp_path / "selection.json"
    output.write_bytes(undisturbed.read_bytes().replace(b"listening.Loudest", b"listening.Noted"))
    before = output.read_bytes()
    select_moments(find_videos(folder), Noted(), output, top_k=3)
    assert output.read_bytes() == before
    assert not (tmp_path / "scored.txt").exists()
    more = Path(shutil.copytree(folder, tmp_path / "videos"))
    shutil.copy(next(folder.rglob("*000001.mp4")), more / "new.mp4")
    found = select_moments(find_videos(more), Noted(), output, top_k=3, workers=0)
    assert (tmp_path / "scored.txt").read_text().split() == ["new"]
    assert found.videos["new"] == found.videos["train/toy-train-000001"]


@pytest.mark.parametrize("finished", [True, False])
def test_the_selection_of_another_scorer_is_refused(
    finished: bool, folder: Path, undisturbed: Path, tmp_path: Path
) -> None:
    output = tmp_path / "selection.json"
    if finished:
        shutil.copy(undisturbed, output)
    else:
        header = {"format": 1, "scorer": dict(Selection.load(undisturbed).scorer)}
        output.with_name(PARTS).write_text(json.dumps(header) + "\n")
    for scorer, top_k in ((Middle(), 3), (Loudest(), 4)):
        with pytest.raises(
            InputError, match=r"was scored by .*Loudest.* not .*; choose another output"
        ) as caught:
            select_moments(find_videos(folder), scorer, output, top_k=top_k)
        assert "\n" not in str(caught.value)


@pytest.mark.costly
def test_the_command_prints_the_counts_and_takes_a_dotted_path(
    folder: Path,
    undisturbed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contact_sheet, "COUNT", 1)
    for scorer in ("listening.Loudest", "listening.loudest"):
        output = tmp_path / scorer / "selection.json"
        given = [str(folder), "-o", str(output), "--scorer", scorer, "--top-k", "3", "--workers", "0"]
        assert cli.main(["select", *given, "--accelerator", "cpu"]) == 0
        assert output.read_bytes() == undisturbed.read_bytes().replace(b"listening.Loudest", scorer.encode())
        printed = capsys.readouterr().out.splitlines()
        assert printed[-1] == f"{output}: 12 videos with moments, 1 rejected (undecodable 1)"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("listening.Blind", r"listening\.Blind: Blind has no `side_px` of 1 or more and `score\(moments\)`"),
        ("listening.Absent", r"--scorer listening\.Absent: cannot be imported .*Absent.*PYTHONPATH"),
        ("no_such_module.Scorer", r"cannot be imported \(No module named 'no_such_module'\)"),
        ("loudest", "--scorer loudest: cannot be imported"),
        ("listening.Demanding", r"cannot be made without arguments \(.*wish.*\); name an object"),
        ("localizer", r"absent: no artifact"),
    ],
)
def test_what_cannot_score_is_refused_in_one_line(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        scorer_of(name, str(tmp_path / "absent"))
    assert "\n" not in str(caught.value)


def test_an_artifact_that_is_no_localizer_is_refused(tiny_image_encoder: Path) -> None:
    with pytest.raises(InputError, match="kind 'image-encoder', not 'localizer'"):
        scorer_of("localizer", str(tiny_image_encoder))


@pytest.mark.costly
def test_words_name_scorers_and_the_seed_is_part_of_the_settings(folder: Path, tmp_path: Path) -> None:
    assert isinstance(scorer_of("middle", "none"), Middle)
    scorer = scorer_of("random", "none", seed=5)
    assert isinstance(scorer, Random)
    one = dict(list(find_videos(folder).items())[1:2])
    found = select_moments(one, scorer, tmp_path / "selection.json", workers=0)
    assert found.scorer["settings"] == {"top_k": 10, "seed": 5}
    with pytest.raises(InputError, match="was scored by"):
        select_moments(one, Random(6), tmp_path / "selection.json")


def test_no_moment_to_keep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--top-k 0"):
        select_moments({}, Middle(), tmp_path / "selection.json", top_k=0)


@pytest.mark.costly
def test_a_mended_video_is_tried_again_when_asked_for(folder: Path, tmp_path: Path) -> None:
    good = min((folder / "train").glob("toy*.mp4"))
    (tmp_path / "a.mp4").write_text("not a video yet")
    (tmp_path / "b.mp4").write_bytes(good.read_bytes())
    given = ["select", str(tmp_path), "-o", str(tmp_path / "s.json"), "--scorer", "middle", "--workers", "0"]
    assert cli.main(given) == 0
    (tmp_path / "a.mp4").write_bytes(good.read_bytes())
    assert cli.main(given) == 0
    assert set(Selection.load(tmp_path / "s.json").rejected) == {"a"}
    assert cli.main([*given, "--retry-rejected"]) == 0
    mended = Selection.load(tmp_path / "s.json")
    assert not mended.rejected
    assert mended.videos["a"] == mended.videos["b"]


class Watching(nn.Module):
    """Notes in which mode it is asked."""

    side_px = 32

    def __init__(self) -> None:
        super().__init__()
        self.modes: set[bool] = set()

    def score(self, moments: Moments) -> Scored:
        self.modes.add(self.training)
        return Scored(moments.second_S.float())


@pytest.mark.slow
def test_a_network_scores_in_eval_mode_for_the_sheet_too_and_keeps_the_mode_it_came_in(
    folder: Path, tmp_path: Path
) -> None:
    scorer = Watching().train()
    select_moments(find_videos(folder), scorer, tmp_path / "selection.json", workers=0, accelerator="cpu")
    assert scorer.modes == {False}
    assert scorer.training


@pytest.mark.costly
def test_what_is_on_disk_is_read_once_at_the_start_and_what_was_written_never_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_sheet, "COUNT", 2)
    loaded: list[Path] = []
    parsed: list[str] = []
    load, from_json = Selection.load.__func__, Choice.from_json.__func__  # type: ignore[attr-defined]

    def loading(cls: type[Selection], path: Path) -> Selection:
        loaded.append(path)
        selection: Selection = load(cls, path)
        return selection

    def parsing(cls: type[Choice], value: object, name: str) -> Choice:
        parsed.append(name)
        choice: Choice = from_json(cls, value, name)
        return choice

    monkeypatch.setattr(Selection, "load", classmethod(loading))
    monkeypatch.setattr(Choice, "from_json", classmethod(parsing))
    videos, output = find_videos(folder), tmp_path / "selection.json"
    few = dict(list(videos.items())[:5])
    for given, loads, choices in ((few, [], 4), (videos, [output], COUNT), (videos, [output], COUNT)):
        loaded.clear()
        parsed.clear()
        found = select_moments(given, Middle(), output, workers=0, accelerator="cpu")
        assert loaded == loads
        assert len(set(parsed)) == len(parsed) == choices == len(found.videos)


def test_ctrl_c_is_one_line_and_status_130_and_keeps_what_is_done(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job is deaf to it
    given = [str(folder), "-o", str(tmp_path / "s.json"), "--accelerator", "cpu", "--workers", "0"]
    try:
        assert cli.main(["select", *given, "--scorer", "listening.Interrupted"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)  # Lightning has made this process deaf to it
    assert capfd.readouterr().err.splitlines()[-1] == f"sound2scene: stopped by Ctrl-C; {cli.AGAIN}"
    assert names(tmp_path) == {"s.json.part-0.jsonl"}
    assert (
        len((tmp_path / "s.json.part-0.jsonl").read_text().splitlines()) == 4
    )  # who scores, a video that is none, two


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (["--accelerator", "nope"], "--accelerator nope, .*'nope'.* Available names are"),
        (["--devices", "0"], "--devices 0, .*choose what is there$"),
        (["--devices", "x"], "--devices x, .*choose what is there$"),
        (["--devices", "-1"], "--devices -1, .*choose what is there$"),
        (["--devices", "100000"], "--devices 100000: this machine has [0-9]+ cores; take fewer$"),
    ],
)
def test_devices_that_are_not_there_are_one_line_before_any_work(
    machine: list[str], message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = [] if "--accelerator" in machine else ["--accelerator", "cpu"]
    given = ["select", str(folder), "-o", str(tmp_path / "s.json"), "--scorer", "middle"]
    assert cli.main([*given, *kind, *machine]) == 2
    assert re.search(message, capsys.readouterr().err.splitlines()[-1])
    assert not (tmp_path / "s.json").exists()


@pytest.mark.parametrize(("workers", "chosen_there"), [(64, True), (0, False)])
def test_where_there_are_processes_that_decode_a_localizer_chooses_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, chosen_there: bool
) -> None:
    given = list[object]()

    class StoppedError(Exception): ...

    def noting(missing: object, side_px: int, workers: int, then: object) -> None:
        given.append(then)
        raise StoppedError

    monkeypatch.setattr(selection_run, "FootageModule", noting)
    with pytest.raises(StoppedError):
        select_moments({"a": tmp_path / "a.mp4"}, tiny_localizer(), tmp_path / "b.json", workers=workers)
    assert [then is not None for then in given] == [chosen_there]
