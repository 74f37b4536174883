import os
import signal
import sys
import time

import forked
from forked import PRELOAD, Forked, run, run_pair


def loaded() -> None:
    """Print which modules were here before any work."""
    print(*sorted(name for name in PRELOAD if name in sys.modules))


def speak() -> None:
    print(os.environ["WHO"], os.environ["LOCAL_RANK"])
    print("oh", file=sys.stderr)


def end() -> None:
    raise SystemExit(3)


def fail_on_rank_1() -> None:
    if os.environ["LOCAL_RANK"] == "1":
        raise ZeroDivisionError
    time.sleep(3600)


def test_a_process_begins_with_the_package_imported() -> None:
    """A module that has moved would be left out in silence, and every process import it anew."""
    assert run(loaded).out.split() == sorted(PRELOAD)


def test_status_output_and_environment_are_those_of_each_process() -> None:
    ended = run_pair(speak, environment=os.environ | {"WHO": "rank"})
    assert ended == ((0, "rank 0\n", "oh\n"), (0, "rank 1\n", "oh\n"))
    assert "WHO" not in os.environ
    assert run(end).status == 3


def test_a_killed_process_has_the_signal_for_its_status() -> None:
    sleeper = Forked(time.sleep, 3600)
    assert sleeper.is_running()
    assert sleeper.kill().status == -signal.SIGKILL


def test_of_a_pair_both_end_when_one_fails() -> None:
    one, other = run_pair(fail_on_rank_1)
    assert one.status == -signal.SIGKILL
    assert (other.status, other.err.splitlines()[-1]) == (1, "ZeroDivisionError")


def test_a_command_is_that_of_the_shell() -> None:
    ended = run(forked.command, "fitt")
    assert ended.status == 2
    assert "fitt" in ended.err
