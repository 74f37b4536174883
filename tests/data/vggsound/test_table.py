import csv
import gzip
from pathlib import Path

import pytest

from sound2scene.data.vggsound.names import ClipName
from sound2scene.data.vggsound.table import Row, check_classes, read_classes, read_table
from sound2scene.types import InputError


@pytest.mark.slow
def test_every_name_of_the_table_comes_back_from_every_spelling(
    real_data: Path,
) -> None:
    table = read_table(real_data / "metadata" / "vggsound.csv.gz")
    assert len(table) == 199_176
    for name in table:
        assert ClipName.parse(name.in_ms()) == name
        assert ClipName.parse(name.in_s()) == name
    with gzip.open(real_data / "metadata" / "vggsound.csv.gz", "rt", newline="") as file:
        lines = list(csv.reader(file))
    assert [(line[0], int(line[1]) * 1000) for line in lines] == [tuple(name) for name in table]
    assert [(line[2], line[3]) for line in lines] == [tuple(row) for row in table.values()]
    both = {name.in_ms() for name in table} | {name.in_s() for name in table}
    assert len(both) == 2 * len(table)


LINES = '0B4dYTMsgHA,130,dog barking,train\n-26aVYRtEAc,30,"playing, loudly",test\n'


def test_a_table_is_read_plain_and_gzipped(tmp_path: Path) -> None:
    plain, packed = tmp_path / "v.csv", tmp_path / "v.csv.gz"
    plain.write_text(LINES)
    packed.write_bytes(gzip.compress(LINES.encode()))
    expected = {
        ClipName("0B4dYTMsgHA", 130_000): Row("dog barking", "train"),
        ClipName("-26aVYRtEAc", 30_000): Row("playing, loudly", "test"),
    }
    assert read_table(plain) == read_table(packed) == expected


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a,b,c\n", r"v\.csv:3: expected id"),
        ("a,x,c,train\n", r"v\.csv:3: expected id"),
        ("a,²,c,train\n", r"v\.csv:3: expected id"),
        ("a,1,c,val\n", r"v\.csv:3: split 'val' is none of train, test"),
        ("a,1" + "0" * 5000 + ",c,train\n", r"v\.csv:3: expected id"),
        ("a,1," + "c" * 140_000 + ",train\n", r"v\.csv:3: no line of a CSV \(field larger"),
        ('a,1,"c,train\n', r"v\.csv:3: no line of a CSV"),
        ("a,1,c\0,train\n", r"v\.csv:3: holds a NUL"),
        (
            "0B4dYTMsgHA,130,cat,test\n-26aVYRtEAc,30,cat,test\n",
            r"v\.csv: 2 clips stand twice: 0B4dYTMsgHA_000130 \(train; line 3: test\), "
            r"-26aVYRtEAc_000030 \(test; line 4: test\); keep",
        ),
    ],
)
def test_a_wrong_line_of_a_table_is_named(line: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text(LINES + line)
    with pytest.raises(InputError, match=complaint) as caught:
        read_table(tmp_path / "v.csv")
    assert len(str(caught.value)) < 500


def test_a_table_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    cut, text = tmp_path / "cut.csv.gz", tmp_path / "bytes.csv"
    cut.write_bytes(gzip.compress(LINES.encode() * 100)[:-20])
    text.write_bytes(b"\xff\xfe")
    for path in (cut, text, tmp_path / "none.csv", tmp_path / "none.csv.gz"):
        with pytest.raises(
            InputError, match=rf"{path.name}(:1)?: (cannot be unpacked|no UTF-8|missing)"
        ) as caught:
            read_table(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="missing; check the path"):
        read_classes(tmp_path / "none.txt")


def test_classes_are_read_one_per_line(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_bytes(
        b"\xef\xbb\xbf# chosen\r\ndog barking \r\n\r\n cat meowing\r\ndog barking"
    )
    assert read_classes(tmp_path / "c.txt") == ["dog barking", "cat meowing"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"", "no class in it"), (b"# none\n\n", "no class in it"), (b"dog\ncaf\xe9\n", ":2: no UTF-8")],
)
def test_a_classes_file_without_classes_is_refused(content: bytes, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_bytes(content)
    with pytest.raises(InputError, match=rf"c\.txt.*{complaint}"):
        read_classes(tmp_path / "c.txt")
    with pytest.raises(InputError, match="a folder, not a file; check the path"):
        read_classes(tmp_path)


HOSTILE = ("blank_end", "bom", "crlf", "header", "space")


@pytest.mark.parametrize("name", HOSTILE)
def test_tables_of_users_are_read_as_if_marks_headings_and_blanks_were_not_there(
    name: str, real_data: Path
) -> None:
    path = real_data / "hostile" / "csv" / "vgg" / f"{name}.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    assert read_table(path) == {
        ClipName("---g-f_I2yQ", 1000): Row("railroad car, train wagon", "train"),
        ClipName("__abcdefgh1", 10_000): Row("dog barking", "train"),
        ClipName("0nib7bMm8BA", 15_000): Row("dog barking", "test"),
    }


@pytest.mark.parametrize("label", ["dog", " dog", "dog ", "\tdog", '" dog "'])
def test_blanks_around_a_class_make_no_other_class(label: str, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text(f"0B4dYTMsgHA,130,{label},Train\n\n")
    assert read_table(tmp_path / "v.csv") == {ClipName("0B4dYTMsgHA", 130_000): Row("dog", "train")}


def test_the_50_classes_of_the_paper_are_the_published_ones(real_data: Path) -> None:
    classes = read_classes("50")
    assert classes == read_classes(real_data / "metadata" / "sound2scene_categories_50.txt")
    assert len(set(classes)) == 50


def test_classes_that_no_clip_has_are_refused_by_name() -> None:
    table = {ClipName("0B4dYTMsgHA", 130_000): Row("dog barking", "train")}
    check_classes(None, table)
    check_classes(["dog barking"], table)
    with pytest.raises(InputError, match="classes not in the table: bark, dogs; check their spelling"):
        check_classes(["dogs", "dog barking", "bark"], table)
