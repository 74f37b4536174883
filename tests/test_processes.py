import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sound2scene.processes import PRELOAD, process_pool, run_within

KEEP_WRITING = """
import os, sys, time
from sound2scene.data.processes import process_pool

def write(number):
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(0.05)

if __name__ == "__main__":
    with process_pool(2) as pool:
        list(pool.map(write, range(10_000)))
"""


def loaded(names: tuple[str, ...]) -> tuple[int, list[bool]]:
    return os.getpid(), [name in sys.modules for name in names]


def nap(_: int) -> int:
    time.sleep(0.2)
    return os.getpid()


def test_work_is_done_in_as_many_processes_as_asked_for_and_not_in_this_one() -> None:
    with process_pool(2) as pool:
        workers = set(pool.map(nap, range(8)))
    assert len(workers) == 2
    assert os.getpid() not in workers


def test_processes_have_the_package_loaded_before_they_get_work_and_not_lightning() -> None:
    with process_pool(1) as pool:
        _, found = pool.submit(loaded, (*PRELOAD, "pytorch_lightning")).result()
    assert found == [True] * len(PRELOAD) + [False]


def test_a_second_pool_starts_in_an_instant() -> None:
    with process_pool(1) as pool:
        pool.submit(os.getpid).result()
    start = time.monotonic()
    with process_pool(2) as pool:
        pool.submit(os.getpid).result()
    assert time.monotonic() - start < 2  # an import of the package takes longer


def test_no_process_outlives_a_killed_parent(tmp_path: Path) -> None:
    script, trace = tmp_path / "write.py", tmp_path / "trace"
    script.write_text(KEEP_WRITING)
    parent = subprocess.Popen([sys.executable, str(script), str(trace)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (trace.exists() and len(set(trace.read_text().split())) == 2):
        assert time.monotonic() < deadline, "the pool never began"
        assert parent.poll() is None, "the script ended"
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    pids = set(trace.read_text().split())
    deadline = time.monotonic() + 10
    while any(is_running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if is_running(pid)] == []


def is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def hold(path: Path) -> None:
    """Write the own number and that of a process it started, then never end, and heed nothing that can be heeded."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    path.write_text(f"{os.getpid()} {other.pid}")
    while True:
        time.sleep(1)


def test_a_job_that_ends_in_time_gives_its_answer_from_another_process() -> None:
    assert run_within(60, threading.Event(), nap, 0) != os.getpid()


@pytest.mark.parametrize("how", ["limit", "stop"])
def test_a_job_that_never_ends_is_killed_with_what_it_started(tmp_path: Path, how: str) -> None:
    trace, stop = tmp_path / "trace", threading.Event()
    run_within(60, stop, nap, 0)  # the fork server has begun
    timer = threading.Timer(5.0, stop.set)
    if how == "stop":
        timer.start()
    with pytest.raises(TimeoutError):
        run_within(5.0 if how == "limit" else 60.0, stop, hold, trace)
    timer.cancel()
    pids = trace.read_text().split()
    deadline = time.monotonic() + 10
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(pids) == 2
    assert not any(map(is_running, pids))


def test_a_job_that_dies_has_no_answer() -> None:
    with pytest.raises(EOFError):
        run_within(60, threading.Event(), os._exit, 3)
