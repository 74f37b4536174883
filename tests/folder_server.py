"""A web server on this machine that serves a folder, as an object store does, or badly."""

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class FolderServer:
    """What is served, and how.

    Attributes:
        folder: The folder.
        address: Its address.
        behaviour: "" for a good server; "no_ranges", "forbidden", "short" (a connection that ends early),
            or "wrong_ranges" (parts of another length).
    """

    folder: Path
    address: str = ""
    behaviour: str = ""

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Answer a request."""
        path = self.folder / handler.path.removeprefix("/data/")
        if self.behaviour == "forbidden":
            handler.send_error(403)
            return
        if not path.is_file():
            handler.send_error(404)
            return
        body, status = path.read_bytes(), 200
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", handler.headers.get("Range", ""))
        if wanted and self.behaviour != "no_ranges":
            body, status = body[int(wanted[1]) : int(wanted[2]) + 1], 206
            body = body[: len(body) // 2] if self.behaviour == "wrong_ranges" else body
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command == "GET":
            cut = self.behaviour == "short" and path.suffix == ".tar"
            handler.wfile.write(body[: len(body) // 2] if cut else body)


@contextmanager
def folder_server(folder: Path) -> Iterator[FolderServer]:
    """Serve in threads until the block ends."""
    web = FolderServer(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.answer(self)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        web.address = f"http://127.0.0.1:{server.server_port}/data"
        yield web
        server.shutdown()
