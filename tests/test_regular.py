import os
from pathlib import Path

import pytest

from sound2scene.regular import open_regular, read_regular


def test_a_file_is_read_through_links(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_regular(tmp_path / "link") == b"abc"
    with open_regular(str(tmp_path / "file")) as file:
        assert (file.read(1), file.seekable()) == (b"a", True)


def test_what_is_no_file_is_refused_in_words_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path / "pipe", "is a named pipe and no regular file"),
        (Path("/dev/null"), "is a device and no regular file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "gone", "No such file or directory"),
        (tmp_path / "a\0b", "its name holds a NUL character"),
    ):
        with pytest.raises(OSError, match=words) as caught:
            read_regular(path)
        assert caught.value.strerror == words
