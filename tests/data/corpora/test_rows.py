import csv
import json
from pathlib import Path

import pytest

from drawn_clips import write_picture, write_sound
from sound2scene import cli
from sound2scene.data.corpora.rows import has_rows_of_pairs, row_jobs
from sound2scene.data.prepare import prepare_manifest
from sound2scene.data.shards.read import Folder, ShardDataset
from sound2scene.types import InputError

Rows = list[tuple[str, ...]]


def table(folder: Path, rows: Rows, columns: tuple[str, ...] = ("audio", "image", "label")) -> Path:
    path = folder / "pairs.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def test_every_row_is_a_pair_with_its_label_and_key_and_a_missing_file_is_counted(tmp_path: Path) -> None:
    for number in range(3):
        write_sound(tmp_path / f"{number}.wav", number)
        write_picture(tmp_path / f"{number}.jpg", number)
    rows: Rows = [
        ("0.wav", "0.jpg", "dog", "", "train"),
        ("1.wav", "1.jpg", "drum", "named", "val"),
        ("2.wav", "2.jpg", "dog", "", "test"),
        ("gone.wav", "2.jpg", "dog", "", "test"),
        ("2.wav", "gone.jpg", "dog", "lost", "test"),
    ]
    source = table(tmp_path, rows, ("audio", "image", "label", "key", "split"))
    folder = prepare_manifest(tmp_path / "shards", source)
    found = {
        split: [ShardDataset(folder, split).key(n) for n in range(1)] for split in ("train", "val", "test")
    }
    assert found == {"train": ["0--0"], "val": ["named"], "test": ["2--2"]}
    assert Folder(folder).card["splits"]["test"]["clips"] == 1
    lines = [json.loads(line) for line in (folder / "test" / "rejected.jsonl").read_text().splitlines()]
    assert {line["key"] for line in lines} == {"gone--2", "lost"}
    assert Folder(folder).notes["pairs"] == "by row: picture and sound belong together"


def test_rows_that_share_a_sound_or_a_picture_are_held_out_together(tmp_path: Path) -> None:
    chain = [(f"{number // 2}.wav", f"{(number + 1) // 2}.jpg", "dog") for number in range(6)]
    others = [(f"a{number}.wav", f"a{number}.jpg", "cat") for number in range(9)]
    splits = row_jobs(table(tmp_path, [*chain, *others]), 0.3)
    assert len(splits["val"]) >= 3
    held = {job[half] for job in splits["val"] for half in ("sound", "image")}
    assert not held & {job[half] for job in splits["train"] for half in ("sound", "image")}
    assert sum(map(len, splits.values())) == len(chain) + len(others)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a.wav", "a.jpg", "", "", "")], r"pairs\.csv:2: has no label; complete or remove the row"),
        ([("", "a.jpg", "dog", "", "")], r"pairs\.csv:2: has no audio; complete"),
        (
            [("a.wav", "a.jpg", "dog", "k", ""), ("b.wav", "b.jpg", "dog", "k", "")],
            r"pairs\.csv:2 and \S+pairs\.csv:3: both become the clip k; rename one",
        ),
        ([("a.wav", "a.jpg", "dog", "", "later")], r"split 'later' is none of train, val, test"),
        (
            [("a.wav", "a.jpg", "dog", "", "train"), ("a.wav", "b.jpg", "dog", "", "test")],
            r"pairs\.csv:3: its sound or picture is in train and in test; keep it in one split",
        ),
    ],
    ids=["no label", "no sound", "one key twice", "no split", "in two splits"],
)
def test_a_hostile_row_is_one_line(rows: Rows, message: str, tmp_path: Path) -> None:
    source = table(tmp_path, rows, ("audio", "image", "label", "key", "split"))
    with pytest.raises(InputError, match=message) as caught:
        row_jobs(source, 0.1)
    assert "\n" not in str(caught.value)


def test_the_heading_tells_the_two_forms_apart(tmp_path: Path) -> None:
    assert has_rows_of_pairs(table(tmp_path, [], ("Image", "label", "Audio")))
    assert not has_rows_of_pairs(table(tmp_path, [], ("file", "modality", "class", "split")))


def test_both_forms_stand_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        cli.main(["prepare", "manifest", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "the columns audio, image, label and, optionally, key and split" in told
    assert "the columns file, modality (audio or image), class, split" in told
