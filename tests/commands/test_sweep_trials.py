import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from forked_trials import ScriptedJob
from sound2scene import files, machine
from sound2scene.commands import sweep_trials
from sound2scene.commands.sweep_trials import Runner, Trial, environment_of, last_line, start_process
from written_runs import ended_process, write_run

RUN = "align/tiny/version_0"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once."""
    monkeypatch.setattr(sweep_trials, "PAUSE_S", 0.001)


def make_trials(folder: Path, count: int) -> list[Trial]:
    return [
        Trial(number, folder / f"{number:03d}", {"a": number}, ["-c", "r.yaml"]) for number in range(count)
    ]


class Desk:
    """Starts scripted jobs and remembers what it was asked for.

    Args:
        scripts: Statuses of the job of each trial, by the name of its folder; by default it finishes.
    """

    def __init__(self, scripts: Mapping[str, Sequence[int | None]] = {}) -> None:
        self.scripts = scripts
        self.asked: list[tuple[str, list[str], dict[str, str]]] = []
        self.jobs: list[ScriptedJob] = []
        self.open, self.most = 0, 0

    def __call__(self, words: Sequence[str], log: Path, environment: Mapping[str, str]) -> ScriptedJob:
        self.asked.append((log.parent.name, [*words], dict(environment)))
        log.write_text("Trainer says\nsound2scene: it went wrong\n")
        polls = self.scripts.get(log.parent.name, [None, 0])
        self.open += 1
        self.most = max(self.most, self.open)
        self.jobs.append(ScriptedJob(polls, self._then(log.parent, polls)))
        return self.jobs[-1]

    def _then(self, folder: Path, polls: Sequence[int | None]) -> Callable[[], None]:
        def then() -> None:
            self.open -= 1
            if polls[-1] == 0:
                write_run(folder / RUN)

        return then


def test_trials_run_so_many_at_a_time_and_a_failed_one_stops_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials, desk = make_trials(tmp_path, 5), Desk({"001": [None, 2], "003": [None, None, None, 0]})
    assert Runner(2, desk).run(trials) == 0
    assert [trial.state() for trial in trials] == ["finished", "failed", *["finished"] * 3]
    assert desk.most == 2
    folder = tmp_path / "001"
    out = capsys.readouterr().out
    told = f"trial 1: failed (status 2): sound2scene: it went wrong; {folder / 'log.txt'}"
    assert told in out.splitlines()
    assert out.count(": begins --a=") == 5
    kept = json.loads((folder / "trial.json").read_text())
    assert kept == {"values": {"a": 1}, "status": 2, "said": "sound2scene: it went wrong"}
    assert desk.asked[0][1] == [
        *["fit", "-c", "r.yaml", "--a=0", f"--run.folder={tmp_path / '000'}", "--run.wandb=false"]
    ]
    assert not list(tmp_path.rglob(".*.lock"))


def test_finished_and_failed_trials_are_not_repeated_and_begun_ones_go_on(tmp_path: Path) -> None:
    trials, desk = make_trials(tmp_path, 5), Desk()
    write_run(tmp_path / "000" / RUN)
    write_run(tmp_path / "001" / RUN, state="failed", error="ValueError: no")
    for number, name in ((2, "last.ckpt"), (3, "best.ckpt")):
        begun = write_run(tmp_path / f"{number:03d}" / RUN, state="running", process=ended_process())
        (begun / "checkpoints").mkdir()
        (begun / "checkpoints" / name).touch()
    desk.scripts = {f"{number:03d}": [3] for number in (2, 3, 4)}
    assert Runner(1, desk).run(trials) == 0
    started = {name: words[:2] for name, words, _ in desk.asked}
    assert started == {"002": ["fit", "--resume"], "003": ["fit", "-c"], "004": ["fit", "-c"]}
    assert desk.asked[0][1] == ["fit", "--resume", str(tmp_path / "002" / RUN)]


def test_a_killed_trial_is_told_and_left_for_the_next_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials, desk = make_trials(tmp_path, 2), Desk({"000": [-9]})
    assert Runner(1, desk).run(trials) == 0
    assert [trial.state() for trial in trials] == ["waiting", "finished"]
    assert "trial 0: stopped (status -9), the same command goes on with it" in capsys.readouterr().out
    Runner(1, Desk()).run(trials)
    assert [trial.state() for trial in trials] == ["finished", "finished"]


def test_a_process_that_ends_well_without_a_run_is_no_finished_trial(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (trial,) = make_trials(tmp_path, 1)
    Runner(1, lambda words, log, environment: ScriptedJob([0], log.touch)).run([trial])
    assert "trial 0: failed (status 0): it left no run" in capsys.readouterr().out
    assert trial.state() == "failed"


@pytest.mark.parametrize("how", ["its run", "its lock"])
def test_a_trial_that_another_process_runs_is_waited_for_while_others_run(how: str, tmp_path: Path) -> None:
    trials, desk = make_trials(tmp_path, 2), Desk()
    busy = write_run(tmp_path / "000" / RUN, state="running")  # by this very process, which lives
    lock = files.alone(tmp_path / "000" / "trial.json")
    if how == "its lock":
        lock.__enter__()

    def end() -> None:
        while not (tmp_path / "001" / RUN).exists():
            time.sleep(0.01)
        about = json.loads((busy / "provenance.json").read_text())
        files.write(busy / "provenance.json", json.dumps(about | {"state": "finished"}))
        if how == "its lock":
            lock.__exit__(None, None, None)

    other = threading.Thread(target=end)
    other.start()
    assert Runner(1, desk).run(trials) == 0
    other.join()
    assert [name for name, _, _ in desk.asked] == ["001"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_handed_on_once_and_nothing_more_begins(number: signal.Signals, tmp_path: Path) -> None:
    trials, desk = make_trials(tmp_path, 4), Desk({name: [None] for name in ("000", "001")})
    before = signal.getsignal(number)

    def ask() -> None:
        while len(desk.jobs) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=ask)
    thread.start()
    assert Runner(2, desk).run(trials) == number
    thread.join()
    assert [job.signals for job in desk.jobs] == [[number], [number]]
    assert [trial.state() for trial in trials] == ["waiting"] * 4
    assert signal.getsignal(number) is before


def test_trials_share_cores_and_take_turns_through_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert environment_of(0, 1) == dict(os.environ)
    found = [environment_of(place, 3) for place in range(3)]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in found] == ["4", "7", "4"]
    assert {one["OMP_NUM_THREADS"] for one in found} == {str(max(1, machine.host()["cores"] // 3))}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert environment_of(1, 2)["CUDA_VISIBLE_DEVICES"] == ""


def test_the_last_line_of_a_log_is_the_last_that_says_something(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b"x\n" * 9000 + "früh\nend \xe4\n\n".encode("latin-1"))
    assert last_line(log) == "end \ufffd"
    log.write_text("")
    assert last_line(log) == ""


def test_a_process_writes_into_its_log_and_hears_no_terminal(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    for _ in range(2):
        job: Any = start_process(["--version"], log, os.environ)
        assert os.getsid(job.pid) == job.pid
        job.wait()
    assert len(log.read_text().splitlines()) == 2  # a second one adds to it
