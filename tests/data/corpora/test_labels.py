from collections import Counter
from pathlib import Path

import pytest

from sound2scene.data.corpora.labels import Labelled, read_labels
from sound2scene.types import InputError


def test_labels_and_splits_are_read_by_path_with_or_without_suffix(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("key,split,label\na/x.mp4,train,dog\nb.c,test,\n-d.MKV,val,baby crying\n")
    assert read_labels(table) == {
        "a/x": Labelled("dog", "train"),
        "b.c": Labelled(None, "test"),
        "-d": Labelled("baby crying", "val"),
    }
    table.write_text("Key,Label,Split\na,dog,Train\nb,dog,validation\nc,dog,VAL\nd,dog, Test \n")
    assert [entry.split for entry in read_labels(table).values()] == ["train", "val", "val", "test"]
    table.write_text("key,label\na,dog\n")
    assert read_labels(table) == {"a": Labelled("dog", None)}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "needs the columns key, label, and may have split; missing: key, label; add a heading"),
        ("key,label\n", "needs the columns key, label, .*; add rows"),
        ("key,class\na,dog\n", "needs the columns key, label, .*missing: label"),
        ("label,key\ndog,a\ncat\n", "1 cells below a heading of 2; mend the row"),
        ("label,key\ndog,a\ncat,\n", "has no key; give the video's path"),
        ("key,label\na/../b,dog\n", "key 'a/../b' leaves the folder"),
        ("key,label,split\na,dog,eval\n", "split 'eval' is none of train, val, test"),
        ("key,label,split\na,dog,\nb,dog,train\n", "split '' is none of train, val, test"),
        (
            "key,label,split\na,dog,train\nb,dog,train\na.mp4,dog,test\nb,cat,test\n",
            "2 keys stand twice.*: a, b; keep",
        ),
    ],
)
def test_a_table_that_says_too_little_or_too_much_is_refused_in_one_line(
    text: str, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=rf"labels\.csv(:\d)?: {complaint}") as caught:
        read_labels(tmp_path / "labels.csv")
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: missing; check the path"):
        read_labels(tmp_path / "none.csv")


HOSTILE = {
    "bom.csv": {"dog, barking": 2, 'dog "x"': 1, "cat": 1, "nan": 1, None: 1},
    "abs.csv": {"dog": 1, "cat": 2},
    "split_upper.csv": {"dog": 1},
    "validation.csv": {"dog": 1},
    "latin1.csv": r"latin1\.csv:8: no UTF-8 \(byte 0xe9\); save the table as UTF-8",
    "semicolon.csv": r"semicolon\.csv:1: needs the columns key, label.*; separate the cells by commas",
    "label_first_short.csv": r"label_first_short\.csv:3: 1 cells below a heading of 2",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_tables_of_users_are_read_or_refused_by_file_and_row(name: str, real_data: Path) -> None:
    path, expected = real_data / "hostile" / "csv" / name, HOSTILE[name]
    if not path.is_file():
        pytest.skip(f"no {path}")
    if isinstance(expected, dict):
        assert Counter(entry.label for entry in read_labels(path).values()) == expected
        return
    with pytest.raises(InputError, match=expected) as caught:
        read_labels(path)
    assert "\n" not in str(caught.value)
