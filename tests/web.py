"""A web server on this machine whose answers a test decides."""

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def serving(
    answer: Callable[[http.server.BaseHTTPRequestHandler], None], over: threading.Event
) -> Iterator[int]:
    """Serve in threads until the block ends, which `over` then tells answers that have no end.

    Args:
        answer: Answers one request.
        over: Set when the block has ended.

    Returns:
        The port.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                answer(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_port
        over.set()
        server.shutdown()
