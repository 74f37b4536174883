"""Ctrl-C, which a terminal sends to a command and to all processes that it has started."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from made_videos import write_video
from sound2scene import cli

# A shell's background job is deaf to Ctrl-C, and so would the command be if these tests run in one.
WORK = """
import signal, sys
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print("begun", flush=True)
    from sound2scene import cli
    sys.exit(cli.main())
"""
NOTHING = signal.SIGCONT  # of which a running process takes no notice
MOMENTS_S = [random.Random(number).uniform(0.05, 10) for number in range(4)]


def interrupted(after_s: float, *arguments: str, by: signal.Signals = signal.SIGINT) -> tuple[int, str]:
    """Status and errors of a command whose process group is sent a signal after so many seconds."""
    run = subprocess.Popen(
        [sys.executable, "-c", WORK, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "begun\n"
    time.sleep(after_s)
    if run.poll() is None:
        os.killpg(run.pid, by)
    _, told = run.communicate(timeout=120)
    return run.returncode, told


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="process groups")
@pytest.mark.parametrize("after_s", MOMENTS_S)
@pytest.mark.parametrize("word", ["prepare", "select"])
def test_ctrl_c_at_any_moment_is_one_line_and_nothing_of_the_workers(
    word: str, after_s: float, tmp_path: Path
) -> None:
    (tmp_path / "videos").mkdir()
    for number in range(40 if word == "select" else 0):
        write_video(tmp_path / "videos" / f"{number}.mp4", 3)
    given = {
        "prepare": ["prepare", "toy", "-o", str(tmp_path / "out"), "--videos", str(tmp_path / "videos")],
        "select": ["select", str(tmp_path / "videos"), "-o", str(tmp_path / "s.json"), "--scorer", "middle"],
    }[word]
    extra = ["--accelerator", "cpu", "--workers", "2"] if word == "select" else ["--frame", "true"]
    status, told = interrupted(after_s, *given, *extra)
    if status == 0:
        pytest.skip("the command was faster")
    assert "Traceback" not in told
    assert status == 130, told
    assert told.splitlines()[-1] == f"sound2scene: stopped by Ctrl-C; {cli.GO_ON[word]}"


def command_of(word: str, videos: Path, folder: Path) -> list[str]:
    made = ["-o", str(folder / ("shards" if word == "prepare" else "selection.json")), "--workers", "2"]
    return {
        "prepare": ["prepare", "videos", str(videos), "--labels", "folders", *made],
        "select": ["select", str(videos), "--scorer", "middle", "--accelerator", "cpu", *made],
    }[word]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="process groups")
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda by: by.name)
@pytest.mark.parametrize("word", ["prepare", "select"])
def test_what_is_stopped_at_four_moments_and_goes_on_equals_what_never_was(
    word: str, by: signal.Signals, tmp_path: Path
) -> None:
    for number in range(60):
        path = tmp_path / "videos" / "ab"[number % 2] / f"{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, 4, tone_s=1.0)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    for folder in (whole, stopped):
        folder.mkdir()
    begun_s = time.monotonic()
    assert interrupted(0, *command_of(word, tmp_path / "videos", whole), by=NOTHING)[0] == 0
    course_s = time.monotonic() - begun_s
    given, dice = command_of(word, tmp_path / "videos", stopped), random.Random(0)
    ended = [interrupted(dice.uniform(0.2, 1) * course_s, *given, by=by) for _ in range(4)]
    assert any(status for status, _ in ended), "it was faster each time"
    assert not [told for _, told in ended if "Traceback" in told]
    status, told = interrupted(0, *given, by=NOTHING)
    assert status == 0, told
    assert files_of(stopped) == files_of(whole)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
