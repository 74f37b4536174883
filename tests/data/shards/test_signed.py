import asyncio
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from drawn_clips import COUNTS
from folder_server import FolderServer, folder_server
from sound2scene.data.shards import signed
from sound2scene.data.shards.read import ShardDataset, UnreadableError
from sound2scene.data.shards.signed import SignedReads


class Store:
    """An object store that signs addresses of a web server."""

    async_impl = True
    protocol = "s3"

    def __init__(self, web: FolderServer) -> None:
        self.web = web
        self.asked: list[str] = []

    def sign(self, path: str, expiration: int) -> str:
        self.asked.append(path)
        assert expiration == 3600
        return f"{self.web.address}/{path}"


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    (tmp_path / "a").write_bytes(bytes(range(200)))
    return bytes(range(200))


def test_parts_come_through_an_address_that_is_signed_once(content: bytes, tmp_path: Path) -> None:
    with folder_server(tmp_path) as web:
        store = Store(web)
        reads = SignedReads(store)
        assert reads.read("a", 3, 90) == content[3:90]
        assert reads.read("a", 100, 101) == content[100:101]
    assert store.asked == ["a"]


def test_an_address_is_renewed_long_before_it_ends(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [1000.0]
    monkeypatch.setattr(signed.time, "monotonic", lambda: now_s[0])
    with folder_server(tmp_path) as web:
        store = Store(web)
        reads = SignedReads(store)
        for later_s, times in ((0, 1), (1799, 1), (2, 2), (3600, 3)):
            now_s[0] += later_s
            assert reads.read("a", 0, 9) == content[:9]
            assert len(store.asked) == times


@pytest.mark.parametrize("behaviour", ["forbidden", "no_ranges", "wrong_ranges"])
def test_where_the_first_address_does_not_work_no_more_are_signed(
    content: bytes, tmp_path: Path, behaviour: str
) -> None:
    with folder_server(tmp_path) as web:
        web.behaviour = behaviour
        store = Store(web)
        reads = SignedReads(store)
        assert [reads.read("a", 3, 90) for _ in range(3)] == [None] * 3
    assert store.asked == ["a"]


def test_a_failure_between_reads_that_work_costs_that_read_alone(content: bytes, tmp_path: Path) -> None:
    with folder_server(tmp_path) as web:
        reads = SignedReads(Store(web))
        assert reads.read("a", 0, 9) == content[:9]
        web.behaviour = "forbidden"
        assert reads.read("a", 0, 9) is None
        web.behaviour = ""
        assert reads.read("a", 0, 9) == content[:9]


@pytest.mark.costly
def test_parts_are_begun_once_reading_has_worked_and_16_are_on_their_way(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with folder_server(tmp_path) as web:
        reads = SignedReads(Store(web))
        assert reads.begin("a", 0, 9) is None
        reads.read("a", 0, 9)
        begun = [reads.begin("a", number, number + 5) for number in range(40)]
        assert [one.result(20) for one in begun if one] == [content[n : n + 5] for n in range(40)]
        under_way, most = 0, 0

        async def waiting(address: str, start: int, end: int) -> bytes:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.01)
            under_way -= 1
            return content[start:end]

        monkeypatch.setattr(reads._http, "_cat_file", waiting)
        begun = [reads.begin("a", number, number + 5) for number in range(40)]
        assert [one.result(20) for one in begun if one] == [content[n : n + 5] for n in range(40)]
        assert most == 16


def test_file_systems_that_sign_nothing_are_left_alone() -> None:
    class Http(Store):
        protocol = ("http", "https")  # type: ignore[assignment]

    class Unsigned(AbstractFileSystem):  # type: ignore[misc]  # fsspec's own `sign`, which says that it cannot
        async_impl, protocol = True, "far"

    http: Any = Http(FolderServer(Path()))
    for filesystem in (fsspec.filesystem("file"), fsspec.filesystem("memory"), http, Unsigned()):
        assert SignedReads(filesystem).read("a", 0, 1) is None
    assert http.asked == []


class SigningMemory(MemoryFileSystem):  # type: ignore[misc]
    """A store in memory that signs addresses of a web server, whose rights may be refused."""

    protocol = "signing"
    async_impl = True
    address = ""

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(MemoryFileSystem._strip_protocol(path.removeprefix("signing://")))

    def sign(self, path: str, expiration: int) -> str:
        return f"{self.address}{path.removeprefix('/drawn')}"


@pytest.mark.parametrize("behaviour", ["", "forbidden"])
def test_clips_of_a_store_that_signs_are_the_same_and_its_errors_name_no_signature(
    dataset: Path, behaviour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec.register_implementation("signing", SigningMemory, clobber=True)
    fsspec.filesystem("memory").put(str(dataset), "/drawn", recursive=True)
    with folder_server(dataset) as web:
        monkeypatch.setattr(SigningMemory, "address", web.address)
        far, near = ShardDataset("signing://drawn", "train"), ShardDataset(dataset, "train")
        web.behaviour = behaviour
        for position in range(COUNTS["train"]):
            far.expect([(position, "flac"), (position, "jpg")])
            assert far.member(position, "flac") == near.member(position, "flac")
        monkeypatch.setattr(MemoryFileSystem, "cat_file", lambda *_, **__: b"")
        web.behaviour = "forbidden"
        with pytest.raises(
            UnreadableError, match=r"^signing://drawn/train/000000.tar: gave 0 bytes"
        ) as caught:
            far.member(0, "flac")
        assert web.address not in str(caught.value)
    fsspec.filesystem("memory").rm("/drawn", recursive=True)
