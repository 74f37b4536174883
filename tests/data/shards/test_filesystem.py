import pickle
from multiprocessing import get_context
from pathlib import Path

import pytest

from folder_server import folder_server
from sound2scene.data.shards.filesystem import FileSystem


def test_files_and_parts_of_them_are_read_at_any_address(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(bytes(range(100)))
    with folder_server(tmp_path) as web:
        for address, local in ((tmp_path, True), (f"file://{tmp_path}", True), (web.address, False)):
            files = FileSystem(address)
            assert files.is_local == local
            assert files.read("a/b", None, None) == bytes(range(100))
            assert files.read("a/b", 3, 9) == bytes(range(3, 9))
            assert files.path("") == str(files.root)
            with pytest.raises(FileNotFoundError):
                files.read("a/c", None, None)


def test_a_copy_for_another_process_opens_when_it_reads(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"here")
    data = pickle.dumps(FileSystem(tmp_path))
    assert b"fsspec" not in data
    assert pickle.loads(data).path("b") == f"{tmp_path}/b"
    assert pickle.loads(data).read("b", 0, 2) == b"he"


def test_a_process_that_was_forked_opens_anew_and_closes_nothing_of_its_parent(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"here")
    with folder_server(tmp_path) as web:
        files = FileSystem(web.address)
        opened = files.opened

        def look() -> None:
            assert files.opened is not opened
            assert files.read("b", None, None) == b"here"
            assert files._inherited[0] is opened

        child = get_context("fork").Process(target=look)
        child.start()
        child.join(20)
        assert child.exitcode == 0
        assert files.opened is opened


def test_an_unknown_protocol_is_an_error() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        FileSystem("nonsense://a/b")
