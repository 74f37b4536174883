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
MOMENTS_S = [random.Random(number).uniform(0.05, 10) for number in range(4)]


def interrupted(after_s: float, *arguments: str) -> tuple[int, str]:
    """Status and errors of a command whose process group hears Ctrl-C after so many seconds."""
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
        os.killpg(run.pid, signal.SIGINT)
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
