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
    table.write_text("key,label\na,dog\n")
    assert read_labels(table) == {"a": Labelled("dog", None)}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "needs the columns key and label"),
        ("key,label\n", "needs the columns key and label"),
        ("key,class\na,dog\n", "needs the columns key and label"),
        ("label,key\ndog,a\ncat\n", "video 2 has no key; give its path"),
        ("key,label,split\na,dog,dev\n", "a: split must be train, val or test, not 'dev'"),
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
    with pytest.raises(InputError, match=rf"labels\.csv: {complaint}") as caught:
        read_labels(tmp_path / "labels.csv")
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: cannot be read"):
        read_labels(tmp_path / "none.csv")
