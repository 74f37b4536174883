"""Processes for preparing data: pools, and single ones that can be ended whatever they do."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from typing import Any, TypeVar

T = TypeVar("T")


# What the jobs need; Lightning is not among it, which takes longer to import than many a dataset to write.
PRELOAD = ("sound2scene.data.corpora.pairs", "sound2scene.data.toy.world", "sound2scene.data.video.clip")


def process_pool(workers: int) -> ProcessPoolExecutor:
    """A pool whose processes inherit no threads of this one (forking a process that has computed can hang).

    Where the system has a fork server, it imports the package once and every later pool starts from it in an
    instant. The processes end with this one, even if it is killed: they would wait, and write, for ever
    otherwise.
    """
    return ProcessPoolExecutor(workers, mp_context=_context(), initializer=_end_with_parent)


def run_within(
    limit_s: float, stop: threading.Event, job: Callable[..., T], *arguments: Any, load: str = ""
) -> T:
    """What a job returns, from a process of its own that is killed after `limit_s` or when `stop` is set.

    A module to `load` is there before the first job where the system has a fork server and it has not begun.
    The process hears no Ctrl-C and ends with this process, even if that is killed. May be called from several
    threads.

    Raises:
        TimeoutError: If it was killed.
        EOFError: If it ended without an answer.
    """
    context = _context(*filter(None, [load]))
    answers, sender = multiprocessing.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, job, arguments), daemon=True)  # type: ignore[attr-defined]
    process.start()
    sender.close()
    end_s = time.monotonic() + limit_s
    try:
        while not answers.poll(0.05):
            if stop.is_set() or time.monotonic() > end_s:
                raise TimeoutError(f"not done after {limit_s:g} s")
        answer: T = answers.recv()
        return answer
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.join()
        answers.close()


def _answer(sender: Connection, job: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    os.setsid()
    _end_with_parent()
    sender.send(job(*arguments))


def _context(*more: str) -> BaseContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOAD, *more])
    return context


def _end_with_parent() -> None:
    def wait() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None, "runs in a pool alone"
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def stopped_by_ctrl_c(stop: threading.Event) -> Iterator[None]:
    """Let Ctrl-C set an event: an exception could come where Python drops it, and the run would go on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
