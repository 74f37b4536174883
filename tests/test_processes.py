import multiprocessing
import os
import platform
import resource
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import forked
from sound2scene.processes import (
    give_way_to_parent,
    keep_freed_memory,
    leave_stopping_to_parent,
    process_pool,
    run_within,
)

# Each test that looks at what a fork server has loaded runs in a process of its own: a server begins once.
LOADED = """
import sys
from sound2scene.processes import process_pool, run_within

def loaded(*names):
    return [name in sys.modules for name in names]

if __name__ == "__main__":
    with process_pool(1, ["wave", "no.such.module"]) as pool:
        print(pool.submit(loaded, "wave", "sound2scene.types").result())
    with process_pool(1, ["sound2scene.types"]) as pool:
        print(pool.submit(loaded, "wave", "sound2scene.types").result())
"""
KEEP_WRITING = """
import os, sys, time
from sound2scene.processes import process_pool

def write(number):
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(0.05)

if __name__ == "__main__":
    with process_pool(2) as pool:
        list(pool.map(write, range(10_000)))
"""

KEEP_READING = """
import os, sys, time
from torch.utils.data import DataLoader, Dataset
from sound2scene.processes import leave_stopping_to_parent

class Slow(Dataset):
    def __len__(self):
        return 10_000

    def __getitem__(self, number):
        with open(sys.argv[1], "a") as file:
            file.write(f"{os.getpid()}\\n")
        time.sleep(0.05)
        return number

if __name__ == "__main__":
    options = {"multiprocessing_context": "forkserver", "worker_init_fn": leave_stopping_to_parent}
    list(DataLoader(Slow(), num_workers=2, **options))
"""

DEAF_ONCE = """
import sys
from sound2scene.processes import leave_stopping_to_parent

leave_stopping_to_parent(0)
print("ready", flush=True)
for line in sys.stdin:
    print("heard", line, end="", flush=True)
"""


def nap(_: int) -> int:
    time.sleep(0.2)
    return os.getpid()


@pytest.mark.costly
def test_work_is_done_in_as_many_processes_as_asked_for_and_not_in_this_one() -> None:
    with process_pool(2) as pool:
        workers = set(pool.map(nap, range(8)))
    assert len(workers) == 2
    assert os.getpid() not in workers


def test_the_modules_of_the_first_pool_are_loaded_once_for_all_and_one_that_is_not_there_is_no_harm(
    tmp_path: Path,
) -> None:
    (tmp_path / "script.py").write_text(LOADED)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[True, False]"] * 2


@pytest.mark.costly
@pytest.mark.parametrize("program", [KEEP_WRITING, KEEP_READING], ids=["pool", "loader"])
def test_no_process_outlives_a_killed_parent(program: str, tmp_path: Path) -> None:
    script, trace = tmp_path / "write.py", tmp_path / "trace"
    script.write_text(program)
    parent = subprocess.Popen([sys.executable, str(script), str(trace)], stderr=subprocess.DEVNULL)
    while not (trace.exists() and len(set(trace.read_text().split())) == 2):
        assert parent.poll() is None, "the script ended"
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    for pid in set(trace.read_text().split()):
        while is_running(pid):  # the test's own limit ends this
            time.sleep(0.05)


def is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def hold(path: Path) -> None:
    """Write the own number and that of a started process, then never end, whatever can be heeded."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    path.write_text(f"{os.getpid()} {other.pid}\n")
    while True:
        time.sleep(1)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_reader_outlives_ctrl_c_and_the_first_sigterm_but_not_the_second() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", DEAF_ONCE], stdin=pipe, stdout=pipe, text=True) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            reader.send_signal(number)
            reader.stdin.write("on\n")
            reader.stdin.flush()
            assert reader.stdout.readline() == "heard on\n"
        while reader.poll() is None:  # two that come at once may count as one
            reader.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        assert reader.wait() == -signal.SIGTERM


def read_for_another(ready: Connection) -> None:
    leave_stopping_to_parent(0)
    ready.send(None)
    time.sleep(600)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="does not tell who sent a signal")
@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_a_reader_obeys_its_parent_at_once_who_waits_for_its_end(method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    reader = context.Process(target=read_for_another, args=(sender,), daemon=True)
    reader.start()
    receiver.recv()
    reader.terminate()
    reader.join(60)
    assert reader.exitcode == 0


def test_a_job_that_ends_in_time_gives_its_answer_from_another_process() -> None:
    assert run_within(300, threading.Event(), nap, 0) != os.getpid()


def test_a_job_that_is_stopped_is_killed_with_what_it_started(tmp_path: Path) -> None:
    trace, stop = tmp_path / "trace", threading.Event()

    def stop_when_it_has_begun() -> None:
        while not (trace.exists() and trace.read_text().endswith("\n")):
            time.sleep(0.05)
        stop.set()

    threading.Thread(target=stop_when_it_has_begun, daemon=True).start()
    with pytest.raises(TimeoutError):
        run_within(300, stop, hold, trace)
    pids = trace.read_text().split()
    assert len(pids) == 2
    for pid in pids:
        while is_running(pid):
            time.sleep(0.05)


@pytest.mark.costly
def test_a_job_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match=r"not done after 0\.5 s"):
        run_within(0.5, threading.Event(), hold, tmp_path / "trace")


def test_a_job_that_dies_has_no_answer() -> None:
    with pytest.raises(EOFError):
        run_within(300, threading.Event(), os._exit, 3)


def print_faults_of_a_large_tensor_made_again() -> None:
    for keep in (lambda: None, keep_freed_memory):
        keep()
        faults = []
        for _ in range(3):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            np.ones(2**26, np.uint8)
            faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
        print(faults[-1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is another")
def test_memory_that_is_freed_is_not_asked_of_the_system_again() -> None:
    by_default, kept = map(int, forked.run(print_faults_of_a_large_tensor_made_again).out.split())
    assert kept < by_default / 10


def print_priority_before_and_after_giving_way() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    give_way_to_parent(0)
    print(before, os.getpriority(os.PRIO_PROCESS, 0), signal.getsignal(signal.SIGINT) is signal.SIG_IGN)


def test_who_reads_ahead_on_the_same_processor_comes_last_and_leaves_stopping_to_its_parent() -> None:
    before, after, ignored = forked.run(print_priority_before_and_after_giving_way).out.split()
    assert int(before) < int(after) == 19
    assert ignored == "True"
