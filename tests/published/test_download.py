import fcntl
import hashlib
import http.server
import re
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sound2scene.published import download
from sound2scene.types import InputError

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Web:
    """A server on this machine, and how it misbehaves."""

    address: str = ""
    content: bytes = CONTENT
    etag: str | None = '"one"'
    ranges: bool = True
    cut_after: list[int] = field(
        default_factory=list
    )  # bytes that each of the coming answers is cut short to
    statuses: list[int] = field(default_factory=list)  # of the coming answers
    stated_length: int | None = None
    stalled: bool = False
    over: threading.Event = field(default_factory=threading.Event)
    shifted: int = 0
    page: str | None = None
    location: str | None = None
    asked: list[str] = field(default_factory=list)  # path and Range of each request

    def answer(self, handler):
        asked_range = handler.headers.get("Range", "")
        self.asked.append(f"{handler.path} {asked_range}".strip())
        if self.statuses and (status := self.statuses.pop(0)) != 200:
            return handler.send_error(status)
        if self.location is not None:
            handler.send_response(302)
            handler.send_header("Location", self.location)
            return handler.end_headers()
        if self.page is not None and "confirm=t" not in handler.path:
            return self.send(handler, 200, self.page.encode(), {"Content-Type": "text/html; charset=utf-8"})
        start = int(re.match(r"bytes=(\d+)-", asked_range)[1]) if asked_range and self.ranges else 0
        if start and start >= len(self.content):
            return handler.send_error(416)
        headers = {"Content-Type": "application/octet-stream"} | ({"ETag": self.etag} if self.etag else {})
        if start:
            first = start + self.shifted
            headers["Content-Range"] = f"bytes {first}-{len(self.content) - 1}/{len(self.content)}"
        self.send(handler, 206 if start else 200, self.content[start:], headers)

    def send(self, handler, status, body, headers):
        handler.send_response(status)
        length = len(body) if self.stated_length is None else self.stated_length
        for name, value in (headers | {"Content-Length": str(length)}).items():
            handler.send_header(name, value)
        handler.end_headers()
        if self.stalled:
            self.over.wait()
        handler.wfile.write(body[: self.cut_after.pop(0)] if self.cut_after else body)


@pytest.fixture
def web(monkeypatch):
    monkeypatch.setattr(download, "FIRST_WAIT_S", 0.001)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    web = Web()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            try:
                web.answer(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        web.address = f"http://127.0.0.1:{server.server_port}/weights/net.pth"
        yield web
        web.over.set()
        server.shutdown()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def refused(message, *arguments, **options):
    with pytest.raises(InputError, match=message) as caught:
        download.fetch(*arguments, **options)
    assert "\n" not in str(caught.value)


def break_off(web, folder, after):
    """Leave a `.part` of the first bytes, as a process that gave up does."""
    web.cut_after = [after] + [0] * (download.ATTEMPTS - 1)
    refused(f"the server sent {after} of {len(web.content)} bytes, 5 times in a row", web.address, folder)
    web.cut_after, web.asked = [], []
    assert names(folder) == ["net.pth.part", "net.pth.part.json"]
    assert (folder / "net.pth.part").read_bytes() == web.content[:after]


def test_whole_file_comes_with_a_checksum_that_sha256sum_accepts(web, tmp_path):
    path = download.fetch(web.address, tmp_path / "new" / "folder")
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["net.pth", "net.pth.sha256"]
    subprocess.run(["sha256sum", "--check", "--strict", "net.pth.sha256"], cwd=path.parent, check=True)


def test_second_call_does_not_ask_the_server(web, tmp_path):
    first = download.fetch(web.address, tmp_path)
    assert download.fetch(web.address, tmp_path) == first
    assert web.asked == ["/weights/net.pth"]


def test_break_is_resumed_where_it_was_within_one_call(web, tmp_path):
    web.cut_after = [100_000, 200_000]
    assert download.fetch(web.address, tmp_path).read_bytes() == CONTENT
    assert web.asked == [
        "/weights/net.pth",
        "/weights/net.pth bytes=100000-",
        "/weights/net.pth bytes=300000-",
    ]


def test_break_is_resumed_where_it_was_by_a_later_call(web, tmp_path):
    break_off(web, tmp_path, 123_456)
    assert download.fetch(web.address, tmp_path, sha256=SHA256).read_bytes() == CONTENT
    assert web.asked == ["/weights/net.pth bytes=123456-"]
    assert names(tmp_path) == ["net.pth", "net.pth.sha256"]


def test_tries_that_bring_something_do_not_count(web, tmp_path):
    web.cut_after = [50_000] * (3 * download.ATTEMPTS)
    assert download.fetch(web.address, tmp_path).read_bytes() == CONTENT


def test_whole_part_is_accepted_without_the_server(web, tmp_path):
    break_off(web, tmp_path, 1000)
    (tmp_path / "net.pth.part").write_bytes(CONTENT)
    assert download.fetch(web.address, tmp_path).read_bytes() == CONTENT
    assert web.asked == []


def test_server_without_ranges_begins_again(web, tmp_path):
    break_off(web, tmp_path, 5000)
    web.ranges = False
    assert download.fetch(web.address, tmp_path).read_bytes() == CONTENT
    assert web.asked == ["/weights/net.pth bytes=5000-"]


@pytest.mark.parametrize("change", ["etag", "length", "shorter", "place"])
def test_other_file_is_not_joined_to_the_part(web, tmp_path, change):
    break_off(web, tmp_path, 5000)
    if change != "place":
        web.content = {"etag": CONTENT[::-1], "length": CONTENT[::-1] + b"more", "shorter": b"short"}[change]
    web.etag = '"two"' if change == "etag" else web.etag
    web.shifted = 7 if change == "place" else 0
    assert download.fetch(web.address, tmp_path).read_bytes() == web.content
    assert web.asked == ["/weights/net.pth bytes=5000-", "/weights/net.pth"]


def test_part_of_unknown_origin_is_not_resumed(web, tmp_path):
    (tmp_path / "net.pth.part").write_bytes(b"x" * 5000)
    (tmp_path / "net.pth.part.json").write_text('{"address": "http://elsewhere/net.pth", "length": 9999}')
    assert download.fetch(web.address, tmp_path).read_bytes() == CONTENT
    assert web.asked == ["/weights/net.pth"]


def test_missing_file_is_said_at_once_and_leaves_nothing(web, tmp_path):
    web.statuses = [404] * 9
    refused(r"net\.pth: HTTP 404 Not Found; check the address", web.address, tmp_path)
    assert len(web.asked) == 1
    assert names(tmp_path) == []


def test_passing_trouble_of_the_server_is_waited_out(web, tmp_path):
    web.statuses = [503, 500, 429]
    assert download.fetch(web.address, tmp_path).read_bytes() == CONTENT
    assert len(web.asked) == 4


def test_stated_length_that_is_never_reached_is_refused(web, tmp_path):
    web.stated_length, web.ranges = len(CONTENT) + 10, False
    refused(f"the server sent {len(CONTENT)} of {len(CONTENT) + 10} bytes", web.address, tmp_path)
    assert not (tmp_path / "net.pth").exists()


def test_stalled_server_is_given_up(web, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "STALL_S", 0.05)
    web.stalled = True  # until the test is over
    refused("timed out, 5 times in a row", web.address, tmp_path)


def test_unreachable_server_is_named(web, tmp_path):
    refused(r"http://127\.0\.0\.1:9/x: .*refused, 5 times in a row", "http://127.0.0.1:9/x", tmp_path)


def test_changed_file_is_put_aside(web, tmp_path):
    path = download.fetch(web.address, tmp_path)
    path.write_bytes(CONTENT[:-1] + b"!")
    refused(r"net\.pth\.bad: sha256 \w+ is not the expected " + SHA256, web.address, tmp_path)
    assert names(tmp_path) == ["net.pth.bad", "net.pth.sha256"]
    assert download.fetch(web.address, tmp_path).read_bytes() == CONTENT


def test_file_renewed_on_the_server_is_not_taken_for_the_old_one(web, tmp_path):
    download.fetch(web.address, tmp_path).unlink()
    web.content = b"another"
    refused("is not the expected " + SHA256, web.address, tmp_path)
    assert not (tmp_path / "net.pth").exists()
    (tmp_path / "net.pth.sha256").unlink()
    assert download.fetch(web.address, tmp_path).read_bytes() == b"another"


def test_checksum_of_the_caller_is_checked(web, tmp_path):
    refused("is not the expected 00", web.address, tmp_path, sha256="00" * 32)
    assert names(tmp_path) == ["net.pth.bad"]
    assert download.fetch(web.address, tmp_path, sha256=SHA256.upper()).read_bytes() == CONTENT
    refused("is not the expected 00", web.address, tmp_path, sha256="00" * 32)


def test_file_of_another_address_is_not_returned(web, tmp_path):
    download.fetch(web.address, tmp_path)
    refused("belongs to .*; use another folder", web.address + "?version=2", tmp_path)


def test_torn_record_is_refused(web, tmp_path):
    (tmp_path / "net.pth.sha256").write_text("# x")
    refused("not a checksum record", web.address, tmp_path)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/..%2f..%2fescaped", "escaped"),
        ("/a/..%5c..%5cescaped", "escaped"),
        ("/a/.hidden%20file%0a", "hidden_file_"),
        ("/a/-rf?name=../x", "rf"),
        ("/a/" + "n" * 300, "n" * 200),
    ],
)
def test_file_name_stays_in_the_folder(web, tmp_path, path, name):
    address = web.address.replace("/weights/net.pth", path)
    assert download.fetch(address, tmp_path / "in") == tmp_path / "in" / name
    assert names(tmp_path) == ["in"]


@pytest.mark.parametrize("path", ["/", "/..", "/a/%2e%2e"])
def test_address_without_a_file_name_is_refused(web, tmp_path, path):
    refused("names no file", web.address.replace("/weights/net.pth", path), tmp_path)


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://h/x", "net.pth", "http://h/a b", "http://h/a\nb", ""]
)
def test_only_web_addresses_are_fetched(tmp_path, address):
    with pytest.raises(InputError, match="not an http or https address"):
        download.fetch(address, tmp_path)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/weights/net.pth"])
def test_redirects_lead_neither_to_files_nor_in_circles(web, tmp_path, location):
    web.location = location
    refused("net.pth: ", web.address, tmp_path)
    assert names(tmp_path) == []


FORM = """<html><body><p>Too large to scan</p>
<form id="other" action="/no"><input type="hidden" name="x" value="y"></form>
<form id="download-form" action="/download?id=1&amp;export=download" method="get"><input type="submit" value="Download">
<input type="hidden" name="id" value="a&amp;b"><input type="hidden" name="confirm" value="t"></form></body></html>"""


def test_page_that_asks_to_confirm_is_confirmed(web, tmp_path):
    web.page, web.cut_after = FORM, [len(FORM), 1000]
    path = download.fetch(web.address, tmp_path)
    assert path.read_bytes() == CONTENT
    confirmed = "/download?id=a%26b&export=download&confirm=t"
    assert web.asked == [
        "/weights/net.pth",
        confirmed,
        "/weights/net.pth bytes=1000-",
        f"{confirmed} bytes=1000-",
    ]


@pytest.mark.parametrize("page", ["<html>Sign in</html>", FORM.replace("/download?", "file:///etc/passwd?")])
def test_any_other_page_is_no_file(web, tmp_path, page):
    web.page = page
    refused("a web page, not a file", web.address, tmp_path)
    assert names(tmp_path) == []


def test_two_processes_do_not_write_one_file(web, tmp_path):
    with (tmp_path / "net.pth.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        refused("another process is downloading it", web.address, tmp_path)


def test_folder_that_is_a_file_is_refused(web, tmp_path):
    Path(tmp_path / "file").write_text("")
    refused("cannot be written", web.address, tmp_path / "file")
