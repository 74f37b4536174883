"""The clips of a table from the web, politely: pauses between clips, and no second question for a dead one.

`downloads.jsonl` in the folder of the videos has a line for every clip that was done with: its state (ok,
dead or failed), the kind, the reason and the address. The last line of a clip counts. It stands in place of
yt-dlp's archive, which knows videos, not clips of them, and only those that came.
"""

from __future__ import annotations

import json
import random
import shutil
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, TypedDict

from filelock import FileLock, Timeout

from sound2scene import files
from sound2scene.data.vggsound.names import ClipName, clip_name
from sound2scene.data.vggsound.table import Row, check_classes
from sound2scene.data.vggsound.youtube import Fetcher, Outcome, require
from sound2scene.data.video.find import SUFFIXES
from sound2scene.folders import walked
from sound2scene.processes import run_within, stopped_by_ctrl_c
from sound2scene.progress import Bar
from sound2scene.records import Record
from sound2scene.types import InputError

LEDGER = "downloads.jsonl"
FAILED_IN_A_ROW = 20  # then it is not the clips: the network is gone, or the server has had enough of us


def choose(
    table: Mapping[ClipName, Row],
    split: str,
    classes: Collection[str] | None = None,
    limit: int | None = None,
) -> list[ClipName]:
    """The first `limit` clips of a split (`all` for both) and of some classes, in the table's order.

    Raises:
        InputError: If a class is not in the table, a name in it is not VGGSound's, or the limit is under 1.
    """
    if limit is not None and limit < 1:
        raise InputError(f"--limit {limit}: take at least 1 clip")
    check_classes(classes, table)
    names = [
        name
        for name, row in table.items()
        if split in ("all", row.split) and (classes is None or row.label in classes)
    ]
    for name in names:  # they become file names and addresses
        ClipName.parse(name.in_ms())
    return names[:limit]


def summary(counts: Mapping[tuple[str, str], int]) -> str:
    """Clips by state, each with its kinds, in one line."""
    parts = []
    for state in ("ok", "dead", "failed"):
        kinds = {kind: count for (found, kind), count in sorted(counts.items()) if found == state}
        details = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if kind)
        parts.append(f"{sum(kinds.values())} {state}" + (f" ({details})" if details else ""))
    return ", ".join(parts)


class _Entry(TypedDict):
    clip: str
    address: str
    state: Literal["ok", "dead", "failed"]
    kind: str
    reason: str


_ENTRY = Record(_Entry, "remove the line")


class Ledger:
    """What became of clips, kept in a file of one line per clip.

    Args:
        file: File of the ledger, open for reading and appending; a last line without its end is cut off.

    Raises:
        InputError: If a line is not one of a ledger.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._lock = file, threading.Lock()
        self._lost: dict[str, tuple[str, Outcome]] = {}  # dead or failed: address and outcome
        file.seek(0)
        data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        file.truncate(len(whole))
        for entry in _ENTRY.parse_lines(whole, file.name):
            outcome = Outcome(entry["state"], entry["kind"], entry["reason"])
            self._note(entry["clip"], entry["address"], outcome)

    def _note(self, clip: str, address: str, outcome: Outcome) -> None:
        self._lost.pop(clip, None)
        if outcome.state != "ok":
            self._lost[clip] = (address, outcome)

    def dead(self, name: ClipName, address: str) -> Outcome | None:
        """Why a clip is never to be asked for again at that address; None where it may be."""
        known = self._lost.get(name.in_ms())
        return known[1] if known and known[0] == address and known[1].state == "dead" else None

    def failed(self, name: ClipName) -> bool:
        """Whether a clip did not come when it was last asked for."""
        return name.in_ms() in self._lost

    def add(self, name: ClipName, address: str, outcome: Outcome) -> None:
        """Write a line at once; may be called from several threads."""
        entry = {"clip": name.in_ms(), "address": address, **outcome._asdict()}
        with self._lock:
            self._note(name.in_ms(), address, outcome)
            with files.writing(self._file.name):
                self._file.write(json.dumps(entry).encode() + b"\n")
                self._file.flush()


@contextmanager
def ledger_of(folder: Path) -> Iterator[Ledger]:
    """The ledger of a folder, which is made if missing, for this process alone.

    Raises:
        InputError: If another process has it, or the folder cannot be written.
    """
    path = folder / LEDGER
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(folder / f".{LEDGER}.lock").acquire(timeout=0))
            file = stack.enter_context(path.open("a+b"))
        except Timeout:
            raise InputError(
                f"{path}: another process is downloading into this folder; wait for that one"
            ) from None
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written ({error.strerror}); mend rights or choose another folder"
            ) from None
        yield Ledger(file)


@dataclass
class Visit:
    """A run over clips.

    Attributes:
        fetcher: How clips are fetched, and the folder into which they go.
        sleep_s: Mean pause of a worker between two clips; yt-dlp's own pauses would leave out dead ones.
        limit_s: Longest time for one clip, with its tries and the waits between them.
        workers: Clips under way at once.
        stop: Ends the run when it is set.
        last_failure: What became of the last clip that failed.
    """

    fetcher: Fetcher
    sleep_s: float = 1.0
    limit_s: float = 600.0
    workers: int = 1
    stop: threading.Event = field(default_factory=threading.Event, init=False)
    last_failure: Outcome | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.sleep_s < 0 or self.limit_s <= 0 or self.workers < 1:
            raise InputError("sleep is at least 0 s, the limit is over 0 s, workers are at least 1")
        self._failed_in_a_row = 0

    def run(self, names: Collection[ClipName]) -> tuple[Counter[tuple[str, str]], bool]:
        """Download what is neither there, in any of VGGSound's spellings below the folder, nor dead.

        Returns:
            Clips by state and kind, as ("ok", ""), ("ok", "there before") and ("dead", "private"); and
            whether all were visited, which Ctrl-C prevents.

        Raises:
            InputError: If yt-dlp is missing, the folder is taken or not to be written, or FAILED_IN_A_ROW
                clips failed.
        """
        require()
        folder = self.fetcher.folder
        with ledger_of(folder) as ledger:
            shutil.rmtree(self.fetcher.workplace(), ignore_errors=True)
            there = {clip_name(path.stem) for path in walked(folder) if path.suffix.lower() in SUFFIXES}
            counts: Counter[tuple[str, str]] = Counter()
            asked = list[ClipName]()
            for name in names:
                if name.in_ms() in there:
                    counts["ok", "there before"] += 1
                elif known := ledger.dead(name, self.fetcher.address_of(name)):
                    counts["dead", known.kind] += 1
                else:
                    asked.append(name)
            # Last those that failed before: a row of them would end every run at the same place.
            whole = self._ask(sorted(asked, key=ledger.failed), ledger, counts)
            shutil.rmtree(self.fetcher.workplace(), ignore_errors=True)
        if self._failed_in_a_row >= FAILED_IN_A_ROW:
            raise InputError(
                f"{folder}: the last {FAILED_IN_A_ROW} clips failed; see {LEDGER} and run again later"
            )
        return counts, whole

    def _ask(self, names: list[ClipName], ledger: Ledger, counts: Counter[tuple[str, str]]) -> bool:
        def one(position: int) -> Outcome | None:
            if position >= self.workers:
                self.stop.wait(self.sleep_s * random.uniform(0.5, 1.5))
            return None if self.stop.is_set() else self._visit(names[position], ledger)

        seen = 0
        with (
            stopped_by_ctrl_c(self.stop),
            Bar(len(names), "download", "clip") as bar,
            ThreadPoolExecutor(self.workers) as pool,
        ):
            try:
                for outcome in filter(None, pool.map(one, range(len(names)))):
                    counts[outcome.state, outcome.kind] += 1
                    seen += 1
                    bar.update()
            finally:
                self.stop.set()
        return seen == len(names)

    def _visit(self, name: ClipName, ledger: Ledger) -> Outcome | None:
        """What became of a clip, written down; None where the run was stopped first."""
        try:
            # A process that can be killed: no time limit of a library ends a server that trickles for ever.
            outcome = run_within(
                self.limit_s, self.stop, self.fetcher.fetch, name, load="yt_dlp.extractor.generic"
            )
        except TimeoutError:
            outcome = Outcome("failed", "time_limit", f"not done within {self.limit_s:g} s")
        except EOFError:
            outcome = Outcome("failed", "crash", "the process that fetched it ended without an answer")
        finally:
            shutil.rmtree(self.fetcher.workplace() / name.in_ms(), ignore_errors=True)
        if self.stop.is_set() and outcome.state == "failed":
            return None
        ledger.add(name, self.fetcher.address_of(name), outcome)
        self.last_failure = outcome if outcome.state == "failed" else self.last_failure
        self._failed_in_a_row = self._failed_in_a_row + 1 if outcome.state == "failed" else 0
        if self._failed_in_a_row >= FAILED_IN_A_ROW:
            self.stop.set()
        return outcome
