import csv
from collections import Counter
from pathlib import Path

import pytest

from sound2scene.data.corpora.manifest import manifest_jobs
from sound2scene.types import InputError

COLUMNS = ("file", "modality", "class", "split", "group")


def manifest(folder: Path, rows: list[tuple[str, ...]], columns: tuple[str, ...] = COLUMNS) -> Path:
    path = folder / "manifest.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def rows(sounds: int = 8, pictures: int = 20) -> list[tuple[str, ...]]:
    """Two classes; two sounds of each group, every fourth file in the test."""
    found = []
    for label in ("cat", "dog"):
        for modality, count in (("audio", sounds), ("image", pictures)):
            for number in range(count):
                group = f"{label}-{modality}-{number // 2}"
                split = "test" if number % 8 >= 6 else "train"
                found.append((f"{modality}/{label}/{number}.x", modality, label, split, group))
    return found


def test_a_manifest_holds_out_whole_groups_and_draws_within_class_and_split(tmp_path: Path) -> None:
    table = {row[0]: row for row in rows()}
    splits = manifest_jobs(manifest(tmp_path, rows()), 0.3, 0)
    groups: dict[str, set[str]] = {}
    for split, jobs in splits.items():
        assert len(jobs) > 0
        for pair in jobs:
            halves = [table[str(Path(pair[half]).relative_to(tmp_path))] for half in ("sound", "image")]
            assert [half[1] for half in halves] == ["audio", "image"]
            assert {half[2] for half in halves} == {pair["label"]}
            assert {half[3] for half in halves} == {"test" if split == "test" else "train"}
            groups.setdefault(split, set()).update(half[4] for half in halves)
    assert not groups["train"] & groups["val"]
    assert not (groups["train"] | groups["val"]) & groups["test"]
    keys = [pair["key"] for jobs in splits.values() for pair in jobs]
    assert len(set(keys)) == len(keys)


def test_training_uses_every_file_and_the_test_every_sound_once(tmp_path: Path) -> None:
    splits = manifest_jobs(manifest(tmp_path, rows()), 0.3, 0)
    used = {
        split: Counter(pair[half] for pair in splits[split] for half in ("sound", "image"))
        for split in splits
    }
    files = {str(tmp_path / row[0]) for row in rows() if row[3] == "train"}
    assert used["train"].keys() | used["val"].keys() == files
    sounds = sorted(str(tmp_path / row[0]) for row in rows() if row[3] == "test" and row[1] == "audio")
    assert sorted(pair["sound"] for pair in splits["test"]) == sounds


def test_the_draw_of_a_class_depends_on_its_seed_and_on_no_other_class(tmp_path: Path) -> None:
    path = manifest(tmp_path, rows())
    assert manifest_jobs(path, 0.2, 1) == manifest_jobs(path, 0.2, 1)
    assert manifest_jobs(path, 0.2, 1) != manifest_jobs(path, 0.2, 2)
    both = manifest_jobs(path, 0.2, 1)
    alone = manifest_jobs(manifest(tmp_path, [row for row in rows() if row[2] == "dog"]), 0.2, 1)
    assert alone == {split: [job for job in jobs if job["label"] == "dog"] for split, jobs in both.items()}


@pytest.mark.parametrize(
    ("changed", "columns", "complaint"),
    [
        (rows(), ("file", "kind", "class", "split", "group"), "missing: modality"),
        ([], COLUMNS, "; add rows"),
        ([*rows(), ("", "audio", "cat", "test", "g")], COLUMNS, ":58: has no file or no class"),
        (
            [*rows(), ("x", "audio", "cat", "dev", "g")],
            COLUMNS,
            ":58: split 'dev' is none of train, test",
        ),
        ([*rows(), ("x", "video", "cat", "test", "g")], COLUMNS, ":58: modality must be audio or image"),
        (
            [*rows(), ("x", "audio", "cow", "test", "g")],
            COLUMNS,
            "class 'cow' has no pictures or no sounds in test",
        ),
    ],
    ids=["column", "empty", "no file", "split", "modality", "half a class"],
)
def test_a_manifest_that_cannot_be_is_refused_in_one_line(
    changed: list[tuple[str, ...]], columns: tuple[str, ...], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        manifest_jobs(manifest(tmp_path, changed, columns), 0.2, 0)
    assert str(tmp_path / "manifest.csv") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_manifest_that_is_missing_or_no_text_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: missing; check the path"):
        manifest_jobs(tmp_path / "none.csv", 0.2, 0)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(InputError, match=r"bytes\.csv:1: no UTF-8") as caught:
        manifest_jobs(tmp_path / "bytes.csv", 0.2, 0)
    assert "\n" not in str(caught.value)


def test_two_pairs_of_one_key_are_refused_by_their_files(tmp_path: Path) -> None:
    files = [("a/1.wav", "audio"), ("b/1.wav", "audio"), ("a/1.jpg", "image"), ("b/1.jpg", "image")]
    path = manifest(tmp_path, [(name, modality, "cat", "train", "g") for name, modality in files])
    with pytest.raises(InputError, match=r"1\.wav with .*1\.jpg and .*: both become the clip cat--1--1"):
        manifest_jobs(path, 0.0, 0)


def test_the_real_manifest_holds_out_whole_groups_and_keeps_every_test_sound(real_data: Path) -> None:
    path = real_data / "pairs" / "manifest.csv"
    with path.open(newline="") as file:
        table = {str(path.parent / row["file"]): row for row in csv.DictReader(file)}
    splits = manifest_jobs(path, 0.15, 0)
    groups = {
        split: {table[pair[half]]["group"] for pair in jobs for half in ("sound", "image")}
        for split, jobs in splits.items()
    }
    assert any(group.startswith("esc_") for group in groups["val"])
    assert not groups["train"] & groups["val"]
    assert not (groups["train"] | groups["val"]) & groups["test"]
    sounds = sorted(
        name for name, row in table.items() if row["modality"] == "audio" and row["split"] == "test"
    )
    assert sorted(pair["sound"] for pair in splits["test"]) == sounds
    assert len(sounds) == 117
    for jobs in splits.values():
        assert len({pair["label"] for pair in jobs}) == 13
        assert all(
            table[pair["sound"]]["class"] == table[pair["image"]]["class"] == pair["label"] for pair in jobs
        )
    assert {name for jobs in splits.values() for pair in jobs for name in (pair["sound"], pair["image"])} >= {
        name for name, row in table.items() if row["split"] == "train"
    }
