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
        ("a,1,c,val\n", r"v\.csv:3: expected id"),
        (
            "0B4dYTMsgHA,130,cat,test\n-26aVYRtEAc,30,cat,test\n",
            r"v\.csv: 2 clips stand twice: 0B4dYTMsgHA_000130 \(train; line 3: test\), "
            r"-26aVYRtEAc_000030 \(test; line 4: test\); keep",
        ),
    ],
)
def test_a_wrong_line_of_a_table_is_named(line: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text(LINES + line)
    with pytest.raises(InputError, match=complaint):
        read_table(tmp_path / "v.csv")


def test_a_table_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    cut, text = tmp_path / "cut.csv.gz", tmp_path / "bytes.csv"
    cut.write_bytes(gzip.compress(LINES.encode() * 100)[:-20])
    text.write_bytes(b"\xff\xfe")
    for path in (cut, text, tmp_path / "none.csv", tmp_path / "none.csv.gz"):
        with pytest.raises(InputError, match=f"{path.name}: cannot be read") as caught:
            read_table(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        read_classes(tmp_path / "none.txt")


def test_classes_are_read_one_per_line(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("# chosen\ndog barking \n\n cat meowing\n")
    assert read_classes(tmp_path / "c.txt") == ["dog barking", "cat meowing"]


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
