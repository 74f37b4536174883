"""Processes for tests, forked from one that has imported the package: imports take seconds."""

import multiprocessing
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from multiprocessing import connection
from multiprocessing.context import ForkServerProcess
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import Any, NamedTuple

PRELOAD = (
    "pytest",
    "pytorch_lightning.cli",
    "torchmetrics",
    "matplotlib.pyplot",
    "sound2scene.commands.recipe",
    "sound2scene.commands.select",
    "sound2scene.stages.align",
    "sound2scene.stages.gan",
    "sound2scene.stages.judge",
    "sound2scene.data.corpora.pairs",
    "sound2scene.data.toy.world",
)


class Ended(NamedTuple):
    """How a process ended.

    Attributes:
        status: Exit status; the negative number of the signal where one killed it.
        out: What it wrote to standard output.
        err: What it wrote to standard error.
    """

    status: int
    out: str
    err: str


def prepare() -> None:
    """Start the server and return; it imports in the background."""
    if multiprocessing.parent_process() is None:
        multiprocessing.set_forkserver_preload(list(PRELOAD))
        ensure_running()


class Forked:
    """A call of a function at the top of a module, under way in a process of its own with one thread.

    Args:
        work: The function; what it returns is lost, `SystemExit` sets the status.
        arguments: Its arguments.
        environment: Environment of the process; that of this one by default.
    """

    def __init__(
        self, work: Callable[..., object], *arguments: Any, environment: Mapping[str, str] | None = None
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        given = dict(os.environ if environment is None else environment) | {"OMP_NUM_THREADS": "1"}
        for name in ("out", "err"):
            (Path(self._folder.name) / name).touch()
        settings = self._folder.name, os.getcwd(), given
        context = multiprocessing.get_context("forkserver")
        self._process: ForkServerProcess = context.Process(target=_run, args=(settings, work, arguments))
        self._process.start()

    @property
    def pid(self) -> int:
        """Number of the process."""
        assert self._process.pid is not None, "it was started by the constructor"
        return self._process.pid

    @property
    def sentinel(self) -> int:
        """What `multiprocessing.connection.wait` takes, and finds ready when the process has ended."""
        return self._process.sentinel

    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.is_alive()

    def kill(self) -> Ended:
        """End it as a power cut would."""
        self._process.kill()
        return self.wait()

    def wait(self) -> Ended:
        """Wait for its end, however long that takes."""
        self._process.join()
        out, err = ((Path(self._folder.name) / name).read_text() for name in ("out", "err"))
        status = self._process.exitcode
        assert status is not None, "it has ended"
        self._folder.cleanup()
        return Ended(status, out, err)


def run(work: Callable[..., object], *arguments: Any, environment: Mapping[str, str] | None = None) -> Ended:
    """Call a function in a process of its own and wait for its end."""
    return Forked(work, *arguments, environment=environment).wait()


def run_pair(
    work: Callable[..., object], *arguments: Any, environment: Mapping[str, str] | None = None
) -> tuple[Ended, Ended]:
    """Call a function in two processes, rank 0 and 1 of one run to Lightning; if one fails, both end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = dict(os.environ if environment is None else environment)
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": "0"}
    one, other = (Forked(work, *arguments, environment=shared | {"LOCAL_RANK": rank}) for rank in ("0", "1"))
    over = connection.wait([one.sentinel, other.sentinel])
    first, last = (one, other) if one.sentinel in over else (other, one)
    ended = first.wait()
    rest = last.wait() if ended.status == 0 else last.kill()
    return (ended, rest) if first is one else (rest, ended)


def command(*arguments: str) -> None:
    """The work of `sound2scene <arguments>`."""
    from sound2scene import cli

    sys.argv = ["sound2scene", *arguments]
    raise SystemExit(cli.main())


def _run(
    settings: tuple[str, str, dict[str, str]], work: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    folder, current, environment = settings
    for stream, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(Path(folder) / name, os.O_WRONLY), stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(current)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which tests run as a background job have not
    import torch
    from pytorch_lightning.utilities import rank_zero_only

    torch.set_num_threads(1)
    rank_zero_only.rank = int(environment.get("LOCAL_RANK", 0))  # it was imported under another environment
    work(*arguments)
