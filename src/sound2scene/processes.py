"""Processes: their memory, pools for preparing data, and single ones that can be ended whatever they do."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

if sys.platform == "win32":
    Context = SpawnContext
else:
    from multiprocessing.context import ForkServerContext

    Context = SpawnContext | ForkServerContext

T = TypeVar("T")

_LAST = 19  # of the system's levels of priority
# mallopt(3): up to which size memory comes from the heap, and how much the heap keeps and asks for at once.
_KEPT_BYTES = {"M_MMAP_THRESHOLD": (-3, 2**30), "M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_TOP_PAD": (-2, 2**26)}


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, for what it allocates next.

    By default the C library of Linux hands every large tensor's memory back at once, and the system fills it
    with zeros for the next one: a quarter of the time of a training step on a CPU. In return the process
    takes more memory (3.3 instead of 2.2 GiB where the toy audio encoder is trained), as free pieces between
    what is in use fit nothing. Where the C library is another, nothing changes.
    """
    with suppress(OSError, TypeError, AttributeError):  # no such library, or no such function in it
        set_option = ctypes.CDLL(None).mallopt
        for option, size_bytes in _KEPT_BYTES.values():
            set_option(option, size_bytes)


def process_pool(workers: int, preload: Sequence[str] = ()) -> ProcessPoolExecutor:
    """A pool whose processes inherit no threads of this one (forking a process that has computed can hang).

    The processes hear no Ctrl-C, and end with this one, even if it is killed: they would wait, and write, for
    ever otherwise.

    Args:
        workers: Number of processes.
        preload: Modules that the work needs. Where the system has a fork server, it imports them once, and
            every later pool starts from it in an instant; of two pools, those of the first count.
    """
    pool = ProcessPoolExecutor(workers, mp_context=_context(preload), initializer=_begin)
    try:
        with _ctrl_c_waits():
            pool.submit(int)  # starts all of them; one that is half started would outlive what it needs
    except KeyboardInterrupt:
        pool.shutdown(cancel_futures=True)
        raise
    return pool


@contextmanager
def spread(workers: int, preload: Sequence[str] = ()) -> Iterator[Callable[..., Iterator[Any]]]:
    """A `map` over so many processes; over this one, which starts none, where one is enough.

    Args:
        workers: Number of processes.
        preload: Modules that the work needs; see :func:`process_pool`.
    """
    if workers <= 1:
        yield map
        return
    with process_pool(workers, preload) as pool:
        try:
            yield pool.map
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def run_within(
    limit_s: float, stop: threading.Event, job: Callable[..., T], *arguments: Any, load: str = ""
) -> T:
    """What a job returns, from a process of its own that is killed after `limit_s` or when `stop` is set.

    The process hears no Ctrl-C and ends with this process, even if that is killed. May be called from several
    threads.

    Args:
        limit_s: Seconds that the job may take.
        stop: Ends the job when it is set.
        job: A function at the top of a module.
        arguments: Arguments of the job.
        load: Module that the job needs besides its own. Where the system has a fork server that has not
            begun, it imports both once.

    Raises:
        TimeoutError: If it was killed, with all that it had started (on Windows, alone).
        EOFError: If it ended without an answer.
    """
    answers, sender = multiprocessing.Pipe(duplex=False)
    context = _context([job.__module__, *filter(None, [load])])
    process = context.Process(target=_answer, args=(sender, job, arguments), daemon=True)
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
        _kill(process)
        answers.close()


def _answer(sender: Connection, job: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    else:
        os.setsid()  # out of reach of the terminal's Ctrl-C, and one number for all that it starts
    _end_with_parent()
    sender.send(job(*arguments))


def _kill(process: BaseProcess) -> None:
    if sys.platform != "win32" and process.pid is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def _context(preload: Sequence[str]) -> Context:
    if sys.platform == "win32" or "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    _start_deaf_server()
    return context


def _start_deaf_server() -> None:
    """Start the server so that neither it nor what it forks ever hears Ctrl-C, not even while they import."""
    from multiprocessing import forkserver, resource_tracker  # which Windows lacks

    resource_tracker.ensure_running()  # it would let signals through again
    # The mask is inherited. A signal that comes meanwhile reaches this process when the mask goes.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """Leave Ctrl-C, which a terminal sends to all processes, to the one that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()


def leave_stopping_to_parent(_worker: int) -> None:
    """Let a process that reads for another ignore Ctrl-C and the first SIGTERM: a `worker_init_fn`.

    Both reach a whole group at once, from a terminal or a scheduler. A reader that obeyed would take the
    batch with it, and the run would fail before it could stop behind a step. A second SIGTERM ends it, one
    from its parent at once (which has no more use for it, and waits), and so does the parent's death.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform in ("win32", "darwin"):  # which do not tell who sent a signal
        signal.signal(signal.SIGTERM, lambda *_: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    else:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # threads that start later inherit it
        threading.Thread(target=_end_when_told, daemon=True).start()
    _end_with_parent()


def give_way_to_parent(worker: int) -> None:
    """The same for one that reads ahead of a parent which computes on the same processor.

    Each of the parent's operations waits for the slowest of its threads. One that has to share its core with
    a reader holds up all the others: without this a step of the toy audio encoder takes 1.09 times as long.
    """
    leave_stopping_to_parent(worker)
    if sys.platform != "win32":
        os.nice(_LAST)


def _end_when_told() -> None:
    """End by a SIGTERM of the parent, or by the second one of anybody."""
    assert sys.platform not in ("win32", "darwin"), "the caller knows"
    parent = multiprocessing.parent_process()
    for _ in range(2):
        sender = signal.sigwaitinfo({signal.SIGTERM}).si_pid
        if parent is not None and sender == parent.pid:
            os._exit(0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.kill(os.getpid(), signal.SIGTERM)


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


@contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Let Ctrl-C wait until the block ends."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        yield
        return
    stop = threading.Event()
    with stopped_by_ctrl_c(stop):
        yield
    if stop.is_set():
        raise KeyboardInterrupt


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
