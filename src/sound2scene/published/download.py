"""Download one file: resumed after a break, checked against its length and checksum, never waiting for ever."""

from __future__ import annotations

import fcntl
import hashlib
import http
import http.client
import json
import os
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, BinaryIO
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qsl, unquote, urlencode, urljoin, urlsplit

from tqdm import tqdm

from sound2scene.types import InputError

STALL_S = 30.0


FIRST_WAIT_S = 1.0


ATTEMPTS = 5


_CHUNK_BYTES = 1 << 20


_PAGE_BYTES = 1 << 20


_PASSING = {408, 425, 429, 500, 502, 503, 504}


def fetch(
    address: str, folder: str | os.PathLike[str], *, sha256: str | None = None, name: str | None = None
) -> Path:
    """A file from the web, in `folder`; from there without the web if it was downloaded before.

    The first download writes `<name>.sha256` (a line for `sha256sum -c`, under a comment with the address);
    every later call checks the file against it. A broken download stays as `<name>.part` and is resumed where
    the server still has the same file, else begun again. A page that asks to confirm a large download (Google
    Drive) is confirmed.

    Args:
        address: http or https address.
        folder: Where to; made if missing.
        sha256: Expected checksum, hexadecimal; the one recorded at the first download by default.
        name: File name; the last part of the address's path by default.

    Raises:
        InputError: If the address cannot be used or reached, the server stalls or cuts the file short time
            and again, the folder cannot be written, another process is downloading the same file, or the
            checksum differs.
    """
    if not re.fullmatch(r"https?://[!-~]+", address):
        raise InputError(f"{address}: not an http or https address; give one, or the path of a local file")
    target = Path(folder) / _safe_name(name or unquote(re.split(r"[?#]", address)[0]), address)
    record, part = (target.with_name(target.name + end) for end in (".sha256", ".part"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        expected = _recorded(record, address) if record.exists() else None
        if target.exists():
            _accept(target, record, address, (sha256, expected))
            return target
        with _alone(part) as file:
            _download(address, file)
            _accept(part, record, address, (sha256, expected))
            os.replace(part, target)
    except OSError as error:
        raise InputError(
            f"{target}: cannot be written ({error.strerror or error}); free space or mend rights"
        ) from None
    return target


def _download(address: str, part: BinaryIO) -> None:
    """Fill `part` to its end; breaks are mended by up to ATTEMPTS tries in a row that bring nothing new."""
    furthest, tries = part.tell(), 0
    while True:
        try:
            _attempt(address, part)
            return part.flush()
        except HTTPError as error:
            error.close()
            reason = " ".join(f"HTTP {error.code} {error.reason}".split())
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                _restart(part)
            elif error.code not in _PASSING:
                raise InputError(f"{address}: {reason}; check the address, or download it by hand") from None
        except (URLError, http.client.HTTPException, ssl.SSLError, ConnectionError, TimeoutError) as error:
            reason = " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
        tries = 1 if part.tell() > furthest else tries + 1
        furthest = max(furthest, part.tell())
        if tries >= ATTEMPTS:
            raise InputError(
                f"{address}: {reason}, {ATTEMPTS} times in a row; run again later to resume"
            ) from None
        time.sleep(FIRST_WAIT_S * 2 ** (tries - 1))


def _attempt(address: str, part: BinaryIO) -> None:
    known, have = _begun(part, address), part.tell()
    if not known:
        have = _restart(part)
    if have and have == known["length"]:
        return
    with _open(address, {"Range": f"bytes={have}-"} if have else {}) as response:
        if have and not _continues(response, known, have):
            have = _restart(part)
            if response.status == http.HTTPStatus.PARTIAL_CONTENT:
                raise ConnectionError("the server resumed another file or place")
        total = None if response.length is None else have + response.length
        if not have:
            _notes(part).write_text(json.dumps(_version(address, response, total)))
        _copy(response, part, have, total)
    if total is not None and part.tell() != total:
        raise ConnectionError(f"the server sent {part.tell()} of {total} bytes")


def _version(address: str, response: http.client.HTTPResponse, length: int | None) -> dict[str, Any]:
    """What tells one version of a file on a server from another."""
    etag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
    return {"address": address, "length": length, "etag": etag, "modified": modified}


def _begun(part: BinaryIO, address: str) -> dict[str, Any]:
    """The version that `part` is the beginning of; empty if that is not known or it cannot be this address."""
    try:
        known: dict[str, Any] = json.loads(_notes(part).read_text())
        return known if known["address"] == address and known["length"] >= part.tell() else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _continues(response: http.client.HTTPResponse, known: dict[str, Any], have: int) -> bool:
    """Whether a response is the rest of the very file that was begun."""
    found = re.fullmatch(rf"bytes {have}-\d+/(\d+)", response.headers.get("Content-Range", ""))
    partial = response.status == http.HTTPStatus.PARTIAL_CONTENT
    return partial and found is not None and _version(known["address"], response, int(found[1])) == known


def _copy(response: http.client.HTTPResponse, part: BinaryIO, have: int, total: int | None) -> None:
    with tqdm(
        total=total, initial=have, unit="B", unit_scale=True, desc=Path(part.name).stem, disable=None
    ) as bar:
        # read1 returns what has come, so that each wait for the server is bounded and the bar moves.
        while chunk := response.read1(_CHUNK_BYTES):
            part.write(chunk)
            bar.update(len(chunk))


def _open(address: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    """The response with the file itself, past one page that asks for confirmation."""
    # Only these handlers: a redirect must not lead to a local file or FTP.
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPRedirectHandler,
    ):
        opener.add_handler(handler())
    for last in (request.HTTPErrorProcessor, request.HTTPDefaultErrorHandler, request.UnknownHandler):
        opener.add_handler(last())
    for _ in range(2):
        response: http.client.HTTPResponse = opener.open(
            request.Request(address, headers=headers), timeout=STALL_S
        )
        is_page = (
            response.headers.get_content_type() == "text/html"
            and "Content-Disposition" not in response.headers
        )
        if not is_page:
            return response
        with response:
            form = _Form()
            form.feed(response.read(_PAGE_BYTES).decode("utf-8", "replace"))
        if form.action is None:
            break
        address = urljoin(response.url, form.action).split("?")[0] + "?" + urlencode(form.fields)
        if urlsplit(address).scheme not in ("http", "https"):
            break
    raise InputError(
        f"{address}: a web page, not a file; it may be private or over its quota: download it by hand"
    )


class _Form(HTMLParser):
    """The form with id `download-form` of a page that asks to confirm a large download."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the action, its query and the hidden inputs."""
        given = {key: value or "" for key, value in attrs}
        if tag == "form" and given.get("id") == "download-form":
            self.action = given.get("action", "")
            self.fields |= parse_qsl(urlsplit(self.action).query)
        elif tag == "input" and self.action is not None and given.get("type") == "hidden" and "name" in given:
            self.fields[given["name"]] = given.get("value", "")


def _notes(part: BinaryIO) -> Path:
    return Path(part.name + ".json")


def _restart(part: BinaryIO) -> int:
    part.truncate(0)
    return part.seek(0)


@contextmanager
def _alone(part: Path) -> Iterator[BinaryIO]:
    """The `.part` at its end, for this process only; kept afterwards only where it holds something to resume."""
    with part.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{part}: another process is downloading it; wait for that one") from None
        if not part.exists() or not os.path.samefile(file.fileno(), part):
            raise InputError(f"{part}: another process has just downloaded it; run again")
        try:
            yield file
        finally:
            if not part.exists() or not file.tell():
                part.unlink(missing_ok=True)
                _notes(file).unlink(missing_ok=True)


def _accept(path: Path, record: Path, address: str, expected: tuple[str | None, str | None]) -> None:
    """Let a whole file pass, and record its checksum; one that is not what was expected is put aside as `.bad`."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    for digest in expected:
        if digest is not None and digest.lower() != found:
            bad = record.with_suffix(".bad")
            os.replace(path, bad)
            remedy = f"run again, or delete {record} if the file was renewed"
            raise InputError(f"{bad}: sha256 {found} is not the expected {digest}; {remedy}")
    if not record.exists():
        partial = record.with_name(record.name + ".tmp")
        partial.write_text(f"# {address}\n{found}  {record.stem}\n")
        os.replace(partial, record)


def _recorded(record: Path, address: str) -> str:
    comment, _, line = record.read_text(errors="replace").partition("\n")
    if not re.match(r"[0-9a-f]{64}  ", line):
        raise InputError(f"{record}: not a checksum record; delete it to download the file again")
    if comment != f"# {address}":
        raise InputError(f"{record}: belongs to {comment[2:]}, not to {address}; use another folder or name")
    return line[:64]


def _safe_name(path: str, address: str) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]", "_", re.split(r"[/\\]", path)[-1]).lstrip(".-")
    if not name:
        raise InputError(f"{address}: names no file; give the address of a file")
    return name[:200]
