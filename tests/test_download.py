import hashlib
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from hostile_server import CONTENT, HostileServer, hostile_server
from sound2scene import download
from sound2scene.download import fetched
from sound2scene.types import InputError

BEGUN = 2 * download.CHUNK_BYTES
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOUND2SCENE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[HostileServer]:
    monkeypatch.setattr(download, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(download, "LEAST_BYTES", 1000)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with hostile_server() as server:
        yield server


def get(address: str, sha256: str | None = None, name: str | None = None) -> Path:
    """A file that is accepted as it is."""
    with fetched(address, name, sha256) as path:
        return path


def left(cache: Path) -> dict[str, bytes]:
    """Files in the cache, but for the empty ones that locks are held on; no folder may be empty."""
    assert all(any(path.iterdir()) for path in cache.iterdir() if path.is_dir())
    found = (path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.name: path.read_bytes() for path in found}


def refused(message: str, address: str, sha256: str | None = None) -> None:
    with pytest.raises(InputError, match=message) as caught:
        get(address, sha256)
    assert "\n" not in str(caught.value)


def break_off(web: HostileServer, cache: Path) -> None:
    """Leave a `.part` of the first bytes, as a process that gave up does."""
    web.cut_after = [BEGUN] + [0] * download.ATTEMPTS
    refused(r"IncompleteRead\(0 bytes read, \d+ more expected\), time and again; run again", web.address)
    web.cut_after, web.asked = [], []
    assert left(cache) == {"net.pth.part": web.content[:BEGUN], "net.pth.version": b'"one"'}


def test_a_whole_file_comes_with_a_checksum_that_sha256sum_accepts(web: HostileServer, cache: Path) -> None:
    path = get(web.address)
    assert path.read_bytes() == CONTENT
    assert sorted(left(cache)) == ["net.pth", "net.pth.sha256"]
    assert (path.parent / "net.pth.sha256").read_text().startswith(f"# {web.address}\n")
    subprocess.run(["sha256sum", "--check", "--strict", "net.pth.sha256"], cwd=path.parent, check=True)


def test_a_second_call_does_not_ask_the_server(web: HostileServer) -> None:
    assert get(web.address) == get(web.address)
    assert web.asked == ["/weights/net.pth"]


def test_what_nobody_could_read_is_neither_kept_nor_recorded(web: HostileServer, cache: Path) -> None:
    with pytest.raises(InputError, match="no state dict"), fetched(web.address):
        raise InputError("no state dict")
    assert left(cache) == {}
    get(web.address)
    with pytest.raises(InputError, match="no state dict"), fetched(web.address):  # though it was read before
        raise InputError("no state dict")
    assert left(cache) == {}
    assert len(web.asked) == 2


def test_a_failure_that_is_not_of_the_file_keeps_it_without_recording_it(
    web: HostileServer, cache: Path
) -> None:
    with pytest.raises(KeyboardInterrupt), fetched(web.address):
        raise KeyboardInterrupt
    assert left(cache) == {"net.pth": CONTENT}


def test_an_error_of_the_system_in_the_block_is_not_called_one_of_the_cache(web: HostileServer) -> None:
    with pytest.raises(IsADirectoryError), fetched(web.address):
        raise IsADirectoryError("elsewhere")


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("empty", "an empty answer"),
        ("gzip", "a compressed answer, for which nobody asked"),
        ("page", "a web page, not a file"),
        ("part", "HTTP 206, which is no whole file"),
        ("bad_length", "many"),
    ],
)
def test_an_answer_that_is_no_file_is_refused_at_once_and_leaves_nothing(
    web: HostileServer, cache: Path, behaviour: str, message: str
) -> None:
    web.behaviour = behaviour
    refused(rf"net\.pth: .*{message}", web.address)
    assert len(web.asked) == 1
    assert left(cache) == {}
    web.behaviour = ""
    assert get(web.address).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [201, 204, 304, 401, 404, 501])
def test_another_status_than_that_of_a_file_is_said_at_once_and_leaves_nothing(
    web: HostileServer, cache: Path, status: int
) -> None:
    web.statuses = [status]
    refused(rf"net\.pth: .*{status}", web.address)
    assert len(web.asked) == 1
    assert left(cache) == {}


@pytest.mark.costly
def test_an_answer_that_never_ends_is_given_up_and_leaves_nothing(
    web: HostileServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LARGEST_BYTES", 1_000_000)
    web.behaviour = "endless"
    refused("more than 1000000 bytes", web.address)
    assert left(cache) == {}


@pytest.mark.costly
@pytest.mark.parametrize("behaviour", ["drip", "drip_headers", "silent"])
def test_an_answer_that_drips_or_never_begins_is_given_up(
    web: HostileServer, monkeypatch: pytest.MonkeyPatch, behaviour: str
) -> None:
    monkeypatch.setattr(download, "STALL_S", 0.1)
    monkeypatch.setattr(download, "LEAST_BYTES", 1 << 30)  # so that no machine is too fast or too slow
    web.behaviour = behaviour
    refused(r"(only \d+ bytes came in|[Tt]imed out|read timeout).*, time and again", web.address)
    assert len(web.asked) == download.ATTEMPTS


def test_a_download_that_takes_too_long_in_all_is_given_up(
    web: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LONGEST_S", 0.0)
    web.cut_after = [5000] * 1000
    refused("time and again", web.address)
    assert len(web.asked) == 1


def test_a_break_is_resumed_where_it_was_within_one_call(web: HostileServer) -> None:
    web.cut_after = [6 * download.CHUNK_BYTES, 3 * download.CHUNK_BYTES + 5]
    assert get(web.address).read_bytes() == CONTENT
    rests = (f" bytes={6 * download.CHUNK_BYTES}-", f" bytes={9 * download.CHUNK_BYTES}-")
    assert web.asked == [f"/weights/net.pth{rest}" for rest in ("", *rests)]


def test_a_break_is_resumed_where_it_was_by_a_later_call(web: HostileServer, cache: Path) -> None:
    break_off(web, cache)
    assert get(web.address, SHA256).read_bytes() == CONTENT
    assert web.asked == [f"/weights/net.pth bytes={BEGUN}-"]
    assert sorted(left(cache)) == ["net.pth", "net.pth.sha256"]


def test_tries_that_bring_something_do_not_count(web: HostileServer) -> None:
    web.cut_after = [50_000] * (3 * download.ATTEMPTS)
    assert get(web.address).read_bytes() == CONTENT


def test_tries_that_bring_next_to_nothing_count(web: HostileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "LEAST_BYTES", 3 * download.CHUNK_BYTES)
    web.cut_after = [download.CHUNK_BYTES] * 1000
    refused("time and again", web.address)
    assert len(web.asked) == download.ATTEMPTS


def test_a_server_without_ranges_begins_again(web: HostileServer, cache: Path) -> None:
    break_off(web, cache)
    web.ranges = False
    assert get(web.address).read_bytes() == CONTENT
    assert web.asked == [f"/weights/net.pth bytes={BEGUN}-"]


@pytest.mark.parametrize("etag", [None, 'W/"one"'])
def test_a_server_that_names_no_version_is_not_asked_for_a_rest(web: HostileServer, etag: str | None) -> None:
    web.etag, web.cut_after = etag, [5000]
    assert get(web.address).read_bytes() == CONTENT
    assert web.asked == ["/weights/net.pth"] * 2


def test_a_file_renewed_on_the_server_is_not_joined_to_the_part(web: HostileServer, cache: Path) -> None:
    break_off(web, cache)
    web.content, web.etag = CONTENT[::-1], '"two"'
    assert get(web.address).read_bytes() == CONTENT[::-1]


def test_a_rest_of_another_version_is_not_joined_to_the_part(web: HostileServer, cache: Path) -> None:
    break_off(web, cache)
    web.content, web.etag, web.heeds_version = CONTENT[::-1], '"two"', False
    assert get(web.address).read_bytes() == CONTENT[::-1]
    assert web.asked == [f"/weights/net.pth bytes={BEGUN}-", "/weights/net.pth"]


def test_a_rest_from_another_place_is_not_joined_to_the_part(web: HostileServer, cache: Path) -> None:
    break_off(web, cache)
    web.shifted = 7
    assert get(web.address).read_bytes() == CONTENT
    assert web.asked == [f"/weights/net.pth bytes={BEGUN}-", "/weights/net.pth"]


def test_a_part_of_unknown_version_is_not_resumed(web: HostileServer) -> None:
    path = get(web.address)
    path.unlink()
    path.with_name("net.pth.part").write_bytes(b"x" * 5000)
    assert get(web.address).read_bytes() == CONTENT
    assert web.asked == ["/weights/net.pth"] * 2


def test_passing_trouble_of_the_server_is_waited_out(web: HostileServer) -> None:
    web.statuses = [503, 500, 429]
    assert get(web.address).read_bytes() == CONTENT
    assert len(web.asked) == 4


def test_a_file_of_unstated_length_comes_whole(web: HostileServer) -> None:
    web.behaviour = "no_length"
    assert get(web.address).read_bytes() == CONTENT


@pytest.mark.usefixtures("web")
def test_an_unreachable_server_is_named() -> None:
    refused(r"http://127\.0\.0\.1:9/x: .*refused, time and again; run again later", "http://127.0.0.1:9/x")


def test_a_changed_file_is_downloaded_anew(web: HostileServer) -> None:
    path = get(web.address)
    path.write_bytes(CONTENT[:-1] + b"!")
    assert get(web.address).read_bytes() == CONTENT
    assert len(web.asked) == 2


def test_a_file_renewed_on_the_server_is_not_taken_for_the_recorded_one(
    web: HostileServer, cache: Path
) -> None:
    path = get(web.address)
    path.unlink()
    web.content = b"another"
    refused(f"sha256 is not the expected {SHA256}; delete .*sha256 if its authors renewed it", web.address)
    assert list(left(cache)) == ["net.pth.sha256"]
    path.with_name("net.pth.sha256").unlink()
    assert get(web.address).read_bytes() == b"another"


def test_a_checksum_of_the_caller_is_checked_and_a_wrong_file_not_kept(
    web: HostileServer, cache: Path
) -> None:
    refused(r"is not the expected 00\w+; run again, or get it by hand", web.address, "00" * 32)
    assert left(cache) == {}
    assert get(web.address, SHA256.upper()).read_bytes() == CONTENT


def test_leftovers_of_a_killed_process_go(web: HostileServer, cache: Path) -> None:
    path = get(web.address)
    path.with_name("tmpkilled").write_bytes(b"half")
    get(web.address)
    assert sorted(left(cache)) == ["net.pth", "net.pth.sha256"]


def test_siblings_of_one_name_lie_apart(web: HostileServer) -> None:
    first = get(web.address)
    web.content = b"another"
    assert get(f"{web.address}?version=2").read_bytes() == b"another"
    assert first.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/..%2f..%2fescaped", "escaped"),
        ("/a/..%5c..%5cescaped", "escaped"),
        ("/a/.hidden%20file%0a", "hidden_file_"),
        ("/a/-rf?name=../x", "rf"),
        ("/a/" + "n" * 300, "n" * 200),
        ("/a/%2e%2e", "file"),
        ("/", "file"),
    ],
)
def test_the_file_name_stays_in_the_cache(web: HostileServer, cache: Path, path: str, name: str) -> None:
    found = get(web.address.replace("/weights/net.pth", path))
    assert found.name == name
    assert found.parent.parent == cache


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://h/x", "net.pth", "http://h/a b", "http://h/a\nb", ""]
)
def test_only_web_addresses_are_fetched(address: str) -> None:
    with pytest.raises(InputError, match="not an http or https address"):
        get(address)


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/weights/net.pth", "http://[/"]
)
def test_redirects_lead_neither_to_files_nor_in_circles(
    web: HostileServer, cache: Path, location: str
) -> None:
    web.location = location
    refused("net.pth: ", web.address)
    assert left(cache) == {}


def test_a_second_one_waits_for_the_first_and_takes_its_file(
    web: HostileServer, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = get(web.address).parent
    found: list[Path] = []
    second = threading.Thread(target=lambda: found.append(get(web.address)))
    with FileLock(cache / f"{folder.name}.lock"):
        second.start()
        said = ""
        while "another process is downloading it; waiting for that one" not in said:
            assert second.is_alive()
            time.sleep(0.01)
            said += capsys.readouterr().err
        assert found == []
    second.join(60)
    assert found == [folder / "net.pth"]
    assert len(web.asked) == 1


def test_a_cache_that_cannot_be_made_is_said_in_one_line(web: HostileServer, cache: Path) -> None:
    cache.write_text("")
    refused(r"net\.pth: cannot be written \(.*\); free space, mend rights", web.address)


@pytest.mark.costly
def test_nothing_is_written_by_a_thread_that_was_left_behind(
    web: HostileServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "STALL_S", 0.1)
    monkeypatch.setattr(download, "LEAST_BYTES", 1 << 30)
    web.behaviour = "drip"
    before = set(threading.enumerate())
    refused("time and again", web.address)
    kept = left(cache)
    web.over.set()  # the answers end, and the threads that wait for them wake up
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
    assert left(cache) == kept


@pytest.mark.parametrize("note", [b"", b"\xff\xfe", b"one\r\nHost: elsewhere", b"x" * 100_000])
def test_a_damaged_note_of_the_version_begins_again(web: HostileServer, cache: Path, note: bytes) -> None:
    break_off(web, cache)
    (version,) = cache.glob("*/net.pth.version")
    version.write_bytes(note)
    web.cut_after.clear()
    assert get(web.address).read_bytes() == CONTENT


@pytest.mark.parametrize("record", [b"", b"\xff\xfe\0", b"no checksum\n"])
def test_a_damaged_record_of_a_checksum_is_refused_and_not_replaced(
    web: HostileServer, cache: Path, record: bytes
) -> None:
    path = get(web.address).with_name("net.pth.sha256")
    path.write_bytes(record)
    refused(r"net\.pth\.sha256: holds no checksum; delete it", web.address)
    assert path.read_bytes() == record
