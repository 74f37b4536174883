"""One file from the web: into a cache by pooch, resumed after a break, and kept once it could be read.

No answer goes on for ever: one that is too slow, too long or too large is given up. The cache is the folder
that `SOUND2SCENE_CACHE` names, or the system's own place for caches.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

import pooch
import requests
from filelock import FileLock, Timeout

from sound2scene import files
from sound2scene.types import InputError

ATTEMPTS = 5
FIRST_WAIT_S = 1.0
STALL_S = 60.0
LEAST_BYTES = 256 << 10  # in every STALL_S; a server that sends less drips
LONGEST_S = 86_400.0
LARGEST_BYTES = 4 << 30
CHUNK_BYTES = 16 << 10  # what is under way at a break is lost

_BREAKS = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
_PASSING = {408, 416, 425, 429, 500, 502, 503, 504}


def cache() -> Path:
    """The folder of what was downloaded."""
    return Path(os.environ.get("SOUND2SCENE_CACHE") or pooch.os_cache("sound2scene"))


@contextmanager
def fetched(address: str, name: str | None = None, sha256: str | None = None) -> Iterator[Path]:
    """A file from the web, for a block that finds out whether it can be read.

    A file in the cache is not asked for again. If the block ends well, the checksum is recorded (a line for
    `sha256sum -c`, under a comment with the address) and holds for every later call; if it ends in an
    InputError, nothing of the file is left. A broken download stays as `<name>.part` and is resumed where the
    server still has the same file, else begun again. A second process that wants the file waits.

    Args:
        address: http or https address.
        name: File name in the cache; the last part of the address's path by default.
        sha256: Expected checksum, hexadecimal; the recorded one by default.

    Raises:
        InputError: If the address cannot be used or reached; if the server stalls, drips, never ends, breaks
            off time and again, or answers with something other than a file; if the checksum differs; or if
            the cache cannot be written.
    """
    if not re.fullmatch(r"https?://[!-~]+", address):
        raise InputError(f"{address}: not an http or https address; give one, or the path of a local file")
    kept = cache()
    # A folder for each address, because siblings share their file name.
    folder = kept / hashlib.sha256(address.encode()).hexdigest()[:16]
    last = re.split(r"[/\\]", name or unquote(urlsplit(address).path))[-1]
    path = folder / (re.sub(r"[^A-Za-z0-9._-]", "_", last).lstrip(".-")[:200] or "file")
    record = path.with_name(f"{path.name}.sha256")
    with ExitStack() as stack:
        with files.writing(path):
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(kept / f"{folder.name}.lock")
            try:
                stack.enter_context(lock.acquire(timeout=0))
            except Timeout:
                print(f"{path}: another process is downloading it; waiting for that one", file=sys.stderr)
                stack.enter_context(lock.acquire())
            _retrieve(address, path, record, sha256)
        try:
            yield path
        except InputError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if not record.exists():
            with files.writing(record):
                files.write(record, f"# {address}\n{pooch.file_hash(str(path))}  {path.name}\n")


def _retrieve(address: str, path: Path, record: Path, sha256: str | None) -> None:
    """Have the file brought by pooch, unless it is there with the right checksum."""

    def download(url: str, output_file: str, _: Any) -> None:
        part, version = (path.with_name(f"{path.name}.{end}") for end in ("part", "version"))
        _download(url, part, version)
        os.replace(part, output_file)
        version.unlink(missing_ok=True)

    known = re.search(r"^[0-9a-f]{64}(?=  )", _note(record), re.MULTILINE)
    if record.exists() and not known:
        raise InputError(f"{record}: holds no checksum; delete it, the file is then trusted anew")
    expected = sha256 or (known[0] if known else None)
    files.sweep(path.parent)
    for leftover in path.parent.glob("tmp*"):  # pooch's, where a process was killed
        leftover.unlink()
    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(address, expected, path.name, path.parent, downloader=download)
    except InputError:
        raise
    except ValueError:
        remedy = f"delete {record} if its authors renewed it" if known else "run again, or get it by hand"
        raise InputError(f"{address}: its sha256 is not the expected {expected}; {remedy}") from None
    finally:
        with suppress(OSError):
            path.parent.rmdir()  # only where nothing is in it


def _note(path: Path) -> str:
    """What is noted in a small file of ours; nothing where it is not there, no error whatever it holds."""
    if not path.is_file() or path.stat().st_size > CHUNK_BYTES:
        return ""
    return path.read_bytes().decode("utf-8", "replace")


def _download(address: str, part: Path, version: Path) -> None:
    """Fill `part` to its end, by up to ATTEMPTS tries in a row that bring next to nothing."""
    furthest, tries, end_s = 0, 0, time.monotonic() + LONGEST_S
    while True:
        try:
            with part.open("ab") as file:
                return _go_on(address, file, version, end_s)
        except InputError:
            raise
        except (requests.RequestException, ValueError) as error:
            response, reason = getattr(error, "response", None), _reason(error)
            status = 0 if response is None else response.status_code
            if response is not None:
                reason = f"HTTP {status} {response.reason}"
            if not isinstance(error, _BREAKS) and status not in _PASSING:
                part.unlink()
                version.unlink(missing_ok=True)
                raise InputError(f"{address}: {reason}; check it, or get the file by hand") from None
        if status == requests.codes.requested_range_not_satisfiable:
            version.unlink(missing_ok=True)
        have = part.stat().st_size
        tries = 1 if have >= furthest + LEAST_BYTES else tries + 1
        furthest = max(furthest, have)
        if tries >= ATTEMPTS or time.monotonic() > end_s:
            raise InputError(f"{address}: {reason}, time and again; run again later to go on")
        time.sleep(FIRST_WAIT_S * 2 ** (tries - 1))


def _go_on(address: str, file: BinaryIO, version: Path, end_s: float) -> None:
    """Ask for the rest of a file; what tells its version from others on the server is noted in `version`."""
    wanted = _note(version) if re.fullmatch("[ -~]{1,500}", _note(version)) else ""
    have = file.tell() if wanted else file.truncate(0)
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": wanted}

    def check(response: requests.Response, **_: Any) -> None:
        """Refuse an answer that is neither the file nor the rest of it; begin again where it is the whole."""
        given, status = response.headers, response.status_code
        etag = given.get("ETag", "W/")
        found = given.get("Last-Modified", "") if etag.startswith("W/") else etag
        if response.is_redirect or not response.ok:
            return
        if given.get("Content-Encoding", "identity") != "identity":
            raise ValueError("a compressed answer, for which nobody asked")
        if "html" in given.get("Content-Type", "") and "Content-Disposition" not in given:
            raise ValueError("a web page, not a file (private, or over its quota?)")
        if status not in (requests.codes.ok, requests.codes.partial_content if have else None):
            raise ValueError(f"HTTP {status}, which is no whole file")
        if status == requests.codes.ok:
            file.truncate(0)
            files.write(version, found)
        elif found != wanted or not given.get("Content-Range", "").startswith(f"bytes {have}-"):
            files.write(version, "")
            raise requests.ConnectionError("the server went on with another file or place")

    get = pooch.HTTPDownloader(
        sys.stderr.isatty(), CHUNK_BYTES, timeout=STALL_S, headers=headers, hooks={"response": check}
    )
    _watched(lambda: get(address, file, None), lambda: os.fstat(file.fileno()).st_size, end_s)
    if not os.fstat(file.fileno()).st_size:
        raise ValueError("an empty answer")


def _watched(job: Callable[[], None], have: Callable[[], int], end_s: float) -> None:
    """Do a job in a thread that is left behind if it brings too little or too much, whatever it waits for."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            job()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    before, since_s = have(), time.monotonic()
    while not wait([done], min(0.5, STALL_S)).done:
        now_s = time.monotonic()
        if have() > LARGEST_BYTES:
            raise ValueError(f"more than {LARGEST_BYTES} bytes")
        if now_s > end_s or (now_s - since_s > STALL_S and have() - before < LEAST_BYTES):
            raise requests.Timeout(f"only {have() - before} bytes came in {now_s - since_s:.0f} s")
        if now_s - since_s > STALL_S:
            before, since_s = have(), now_s
    done.result()


def _reason(error: Exception) -> str:
    """The innermost words of an error, on one line."""
    inner = getattr(error.args[0], "reason", None) if error.args else None
    words = " ".join(str(inner or error).split()) or type(error).__name__
    return words.rpartition(": ")[2].partition("',")[0][:200]
