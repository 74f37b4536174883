"""The one way to write a file: it appears under its name whole, or not at all."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

from sound2scene.types import InputError

PARTIAL = ".partial"
_OLD = ".old"
_TRIES = 20  # where another writer, or a reader that recovers, gets in the way
STALE_S = 3600  # no live writer takes so long over one file
_WRITER = re.compile(rf"\.(?P<host>[0-9a-f]{{12}})-(?P<pid>[0-9]{{1,10}})-[0-9a-f]{{32}}{re.escape(PARTIAL)}")


def partial_name(path: str | os.PathLike[str]) -> Path:
    """A new hidden name beside `path` for a file or folder under way; it tells :func:`sweep` who writes it.

    The name of `path` is no part of it, so that a long one does not grow beyond what a file system takes.
    """
    return Path(path).with_name(f".{this_process()}-{uuid.uuid4().hex}{PARTIAL}")


def this_process() -> str:
    """A word for this process that tells :func:`has_ended` who it was; it holds no name of the machine."""
    return f"{_host()}-{os.getpid()}"


def has_ended(process: str) -> bool:
    """Whether a process of this machine is no more; never true where nobody can say, as of another machine.

    Args:
        process: What :func:`this_process` called it.
    """
    return _is_dead(f".{process}-{'0' * 32}{PARTIAL}")


def is_running(process: str) -> bool:
    """Whether a process runs on this machine; never true of another machine's.

    Args:
        process: What :func:`this_process` called it.
    """
    is_ours = process.startswith(f"{_host()}-") and sys.platform != "win32"  # where nobody can say
    return is_ours and not has_ended(process)


@contextmanager
def replacing(path: str | os.PathLike[str], sync: bool = False) -> Iterator[Path]:
    """A place beside `path` to write to; it takes that name when the block ends well, else it is gone.

    Several processes may write the same file at once: the last one to end wins, and readers see no mixture. A
    killed one leaves a hidden file behind, which :func:`sweep` finds.

    Args:
        path: What is to be there in the end; its folder has to exist.
        sync: Be sure that the bytes are on the disk before they get their name, so that even a machine that
            loses its power keeps the old file or has the new one.

    Raises:
        InputError: If it cannot be written: a full disk, missing rights, no such folder.
    """
    path = Path(path)
    partial = partial_name(path)
    try:
        with writing(path):
            yield partial
            if sync:
                _sync(partial)
            os.replace(partial, path)
    finally:
        with suppress(OSError):  # not to be there either, where nothing can be written
            partial.unlink()


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what the system says while a file or folder is written into one line.

    Raises:
        InputError: If it cannot be written.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{path}: cannot be written ({reason}); free space, mend rights or choose another place"
        ) from error


def make_folder(folder: str | os.PathLike[str]) -> Path:
    """Make a folder, with those above it, unless it is there.

    Raises:
        InputError: If it cannot be made.
    """
    with writing(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)


@contextmanager
def alone(target: str | os.PathLike[str], wait: bool = True) -> Iterator[None]:
    """Be the only process that makes a file or folder; a second one says so and waits.

    Args:
        target: What is to be made. The lock is a hidden file beside it, gone in the end.
        wait: Whether to wait; else a second process ends in an error.

    Raises:
        InputError: If the lock cannot be written, or another process has it and nobody waits.
    """
    path = Path(os.path.abspath(target))
    make_folder(path.parent)
    # Apart from the name, so that a long one does not grow beyond what a file system takes.
    name = hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    lock = FileLock(path.with_name(f".{name}.lock"))
    with writing(target):
        taken = _acquired(lock)
        if not taken and wait:
            print(f"{target}: another process is writing it; waiting for that one", file=sys.stderr)
            lock.acquire()
    if not (taken or wait):
        raise InputError(f"{target}: another process is writing it; wait for that one")
    try:
        yield
    finally:
        with suppress(OSError):
            os.unlink(lock.lock_file)
        lock.release()


def _acquired(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def write(path: str | os.PathLike[str], content: bytes | str, sync: bool = False) -> None:
    """Write bytes, or text as UTF-8, whole or not at all; see :func:`replacing`."""
    with replacing(path, sync) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def sweep(folder: str | os.PathLike[str], older_s: float = STALE_S) -> None:
    """Remove the files and folders that killed writers left in a folder.

    Those of a process of this machine that is no more go at once; of what others write, whether they live
    cannot be known, and it goes when it is old.

    Args:
        folder: Folder in which to look; not in folders below it.
        older_s: Age in seconds at which any leftover goes.
    """
    for leftover in Path(folder).glob(f".*{PARTIAL}"):
        with suppress(OSError):  # another process was faster, or may not be tidied after
            if _is_dead(leftover.name) or time.time() - leftover.lstat().st_mtime > older_s:
                _remove(leftover)


def _remove(leftover: Path) -> None:
    if leftover.is_dir() and not leftover.is_symlink():
        shutil.rmtree(leftover, ignore_errors=True)
    else:
        leftover.unlink()


def _is_dead(name: str) -> bool:
    """Whether the writer that a name tells of ran here and runs no more; never true where nobody can say."""
    writer = _WRITER.fullmatch(name)
    # On Windows, the question whether a process lives would end it.
    if writer is None or writer["host"] != _host() or sys.platform == "win32":
        return False
    try:
        os.kill(int(writer["pid"]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    with suppress(OSError):  # a dead process whose parent never asked how it ended keeps its number
        state = Path("/proc", writer["pid"], "stat").read_bytes()
        return state.rpartition(b") ")[2][:1] in b"ZX"
    return False


@cache
def _host() -> str:
    """What process numbers are unique in: this machine since its start, or this container of it."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _sync(path: Path) -> None:
    with path.open("r+b") as file:  # some systems sync no file that is open for reading alone
        os.fsync(file.fileno())


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` to fill; it takes that name when the block ends well, else it is gone.

    Args:
        folder: What is to be there in the end; a folder of that name goes. Those above it are made.
    """
    partial = partial_name(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        sweep(folder.parent)
        partial.mkdir()
        yield partial
        exchange(partial, folder)
    finally:
        recover(folder)
        shutil.rmtree(partial, ignore_errors=True)


def exchange(partial: Path, folder: Path) -> None:
    """Give a new folder its name; for an instant nothing has it, and the old one waits under another.

    Args:
        partial: The new folder, whole, beside the other.
        folder: The name; a folder that has it goes. One who is killed in that instant leaves it to
            :func:`recover`.
    """
    for left in reversed(range(_TRIES)):
        with suppress(FileNotFoundError):  # there is none, or another writer has just moved it
            folder.rename(folder.with_name(f"{_aside(folder)}.{uuid.uuid4().hex}{_OLD}"))
        try:
            partial.rename(folder)
            return
        except OSError:
            # Another writer, or a reader that recovered the old one, may have been quicker.
            if not left or not folder.exists():
                raise


def recover(folder: Path) -> None:
    """Bring the old folder back where a writer was killed before the new one had its name; else remove it."""
    for old in folder.parent.glob(f"{_aside(folder)}.*{_OLD}"):
        with suppress(OSError):  # there is one, or another reader was quicker
            old.rename(folder)
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)


def _aside(folder: Path) -> str:
    """Begin of the hidden name of a folder that is being replaced; short for a long name, too."""
    return f".{hashlib.sha256(folder.name.encode(errors='surrogateescape')).hexdigest()[:16]}"
