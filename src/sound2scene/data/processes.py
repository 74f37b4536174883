"""Process pools for preparing data."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor

# What the jobs need; Lightning is not among it, which takes longer to import than many a dataset to write.
PRELOAD = ("sound2scene.data.pairs", "sound2scene.data.toy", "sound2scene.data.video_clips")


def process_pool(workers: int) -> ProcessPoolExecutor:
    """A pool whose processes inherit no threads of this one (forking a process that has computed can hang).

    Where the system has a fork server, it imports the package once and every later pool starts from it in an instant.
    The processes end with this one, even if it is killed: they would wait, and write, for ever otherwise.
    """
    if "forkserver" in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(PRELOAD))
        return ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    def wait() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None, "runs in a pool alone"
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
