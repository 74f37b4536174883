"""A web server on this machine that serves one file and misbehaves as it is told to."""

import gzip
import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from web import serving

CONTENT = bytes(range(256)) * 4000


@dataclass
class HostileServer:
    """What is served, and how.

    Attributes:
        address: Address of the file.
        content: The file.
        etag: Its version, if the server says one.
        ranges: Whether the rest of a file can be asked for.
        heeds_version: Whether it is given only where the asker has the beginning of the same version.
        behaviour: "" for a good server; "empty", "endless", "drip", "drip_headers", "silent", "gzip", "page",
            "part" (an unasked one), "no_length", or "bad_length".
        statuses: Of the coming answers, before the behaviour counts.
        location: Where every request is sent on to.
        cut_after: Bytes to which each of the coming answers is cut short.
        shifted: How far from the right place an answer with a rest begins.
        asked: Path and Range of each request.
    """

    address: str = ""
    content: bytes = CONTENT
    etag: str | None = '"one"'
    ranges: bool = True
    heeds_version: bool = True
    behaviour: str = ""
    statuses: list[int] = field(default_factory=list)
    location: str | None = None
    cut_after: list[int] = field(default_factory=list)
    shifted: int = 0
    asked: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        wanted = handler.headers.get("Range", "")
        self.asked.append(f"{handler.path} {wanted}".strip())
        if self.statuses and (status := self.statuses.pop(0)) != 200:
            handler.send_response(status)
            handler.end_headers()
        elif self.location is not None:
            handler.send_response(302)
            handler.send_header("Location", self.location)
            handler.end_headers()
        elif self.behaviour in ("silent", "drip_headers"):
            while self.behaviour == "drip_headers" and not self.over.wait(0.02):
                handler.wfile.write(b"H")
            self.over.wait(60)
        elif self.behaviour in ("endless", "drip"):
            self.begin(handler, 200, {})
            while not self.over.wait(0.02 if self.behaviour == "drip" else 0):
                handler.wfile.write(b"\0" if self.behaviour == "drip" else bytes(65536))
        else:
            self.send(handler, wanted)

    def send(self, handler: http.server.BaseHTTPRequestHandler, wanted: str) -> None:
        """The file, the rest of it, or what stands for it."""
        body, headers = self.content, {"Content-Type": "application/octet-stream"}
        is_same = handler.headers.get("If-Range") == self.etag or not self.heeds_version
        found = re.fullmatch(r"bytes=(\d+)-", wanted)
        start = int(found[1]) if found and self.ranges and is_same else 0
        if self.behaviour == "empty":
            body = b""
        elif self.behaviour == "gzip":
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        elif self.behaviour == "page":
            body, headers["Content-Type"] = b"<html>Sign in</html>", "text/html; charset=utf-8"
        elif self.behaviour == "part":
            body = body[:1000]
            headers["Content-Range"] = f"bytes 0-999/{len(self.content)}"
        if start:
            first = start + self.shifted
            body = body[first:]
            headers["Content-Range"] = f"bytes {first}-{len(self.content) - 1}/{len(self.content)}"
        if self.behaviour != "no_length":
            headers["Content-Length"] = "many" if self.behaviour == "bad_length" else str(len(body))
        self.begin(handler, 206 if start or self.behaviour == "part" else 200, headers)
        handler.wfile.write(body[: self.cut_after.pop(0)] if self.cut_after else body)

    def begin(
        self, handler: http.server.BaseHTTPRequestHandler, status: int, headers: dict[str, str]
    ) -> None:
        """Send the head of an answer."""
        handler.send_response(status)
        for name, value in (headers | ({"ETag": self.etag} if self.etag else {})).items():
            handler.send_header(name, value)
        handler.end_headers()


@contextmanager
def hostile_server() -> Iterator[HostileServer]:
    """Serve in threads until the block ends."""
    web = HostileServer()
    with serving(web.answer, web.over) as port:
        web.address = f"http://127.0.0.1:{port}/weights/net.pth"
        yield web
