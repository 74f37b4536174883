"""A server of videos on this machine that answers as it is told to, by the id in the address."""

import http.server
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from web import serving


class VideoServer:
    """Answers `/<id>.mp4`.

    Attributes:
        address: Address of a video, with `{id}`.
        video: Bytes that it serves.
        behaviour: What happens by id: a status, "slow", "silent", "cut", "endless" or "page"; a list is used
            up answer by answer.
        asked: Requests by id.
        ranges: Ranges that were asked for, by id.
    """

    def __init__(self, video: bytes) -> None:
        self.address, self.video = "", video
        self.behaviour: dict[str, object] = {}
        self.asked: Counter[str] = Counter()
        self.ranges: dict[str, list[str]] = {}
        self.over = threading.Event()

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        video = Path(handler.path).stem
        self.asked[video] += 1
        wanted = handler.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if wanted:
            self.ranges.setdefault(video, []).append(wanted)
        how = self.behaviour.get(video, 200)
        if isinstance(how, list):
            how = how.pop(0) if how else 200
        if how == "silent":
            self.over.wait(60)
        if isinstance(how, int) and how != 200:
            handler.send_error(how)
            return
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Type", "text/html" if how == "page" else "video/mp4")
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.video) - 1}/{len(self.video)}")
        if how != "endless":
            handler.send_header("Content-Length", str(len(self.video) - start))
        handler.end_headers()
        if how == "endless":
            self.trickle(handler)
        elif how == "slow":
            for first in range(start, len(self.video), step := -(-len(self.video) // 10)):
                handler.wfile.write(self.video[first : first + step])
                time.sleep(0.15)
        elif how == "page":
            handler.wfile.write(b"<html>nothing here</html>".ljust(len(self.video)))
        else:
            handler.wfile.write(self.video[start : len(self.video) // 2 if how == "cut" else None])

    def trickle(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        while not self.over.wait(0.05):
            handler.wfile.write(b"\0")


@contextmanager
def video_server(video: bytes) -> Iterator[VideoServer]:
    web = VideoServer(video)
    with serving(web.answer, web.over) as port:
        web.address = f"http://127.0.0.1:{port}/{{id}}.mp4"
        yield web
