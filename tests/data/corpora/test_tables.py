from pathlib import Path

import pytest

from sound2scene.data.corpora.tables import read_cells, read_rows, read_text, split_of
from sound2scene.types import InputError


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfname,label\na,dog\n",
        b"name,label\r\na,dog\r\n",
        b"name,label\ra,dog\r",
        b" Name , LABEL \n a , dog \n",
        b"\n\nname,label\n\na,dog\n\n , \n\n",
        b'other,name,label\nx,a,"dog"',
    ],
    ids=["mark", "CRLF", "CR", "blanks", "blank lines", "another column"],
)
def test_marks_line_ends_blanks_and_order_make_no_difference(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    (row,) = read_rows(tmp_path / "t.csv", ("name", "label"), ("split",))
    assert row.cells == {"name": "a", "label": "dog", "split": ""}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", r":1: needs the columns name, label; missing: name, label; add a heading"),
        (b"name\tlabel\na\tdog\n", ":1: needs .*; separate the cells by commas"),
        (b"name,name,label\na,b,dog\n", ":1: the column name stands twice"),
        (b"name,label\na,dog,x\n", ":2: 3 cells below a heading of 2"),
        (b'name,label\na,"dog\nb,cat\n', ":2: no line of a CSV"),
        (b'name,label\na,"dog\ncat"\n', ":2: a cell goes over several lines"),
        (b"name,label\na," + b"x" * 200_000 + b"\n", r":2: no line of a CSV \(field larger"),
        (b"name,label\na,caf\xe9\n", r":2: no UTF-8 \(byte 0xe9\)"),
        (b"name,label\na,\0\n", ":2: holds a NUL"),
        ("name,label\na,dog\n".encode("utf-16"), ":1: no UTF-8"),
        (bytes(range(256)) * 10, "no UTF-8"),
        (b"name,label\n", ": needs the columns name, label, and rows below them"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_by_file_and_row(
    content: bytes, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=rf"t\.csv.*{complaint}") as caught:
        read_rows(tmp_path / "t.csv", ("name", "label"))
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a folder, not a file; check the path"):
        list(read_cells(tmp_path))


def test_a_packed_table_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip

    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(bytes(10_000)))
    monkeypatch.setattr("sound2scene.data.corpora.tables._LARGEST_BYTES", 5000)
    with pytest.raises(InputError, match="unpacks to more than 5000 bytes"):
        read_text(tmp_path / "t.csv.gz")


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("Train", "train"),
        ("training", "train"),
        ("VAL", "val"),
        ("validation", "val"),
        ("dev", "val"),
        (" Test", "test"),
    ],
)
def test_splits_are_taken_for_what_they_mean(text: str, split: str) -> None:
    assert split_of(text, "t.csv:2") == split


def test_a_split_that_means_nothing_here_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"t\.csv:2: split 'eval' is none of train, val, test"):
        split_of("eval", "t.csv:2")
    with pytest.raises(InputError, match="split 'val' is none of train, test"):
        split_of("val", "t.csv:2", ("train", "test"))
