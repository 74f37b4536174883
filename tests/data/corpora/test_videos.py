import os
from pathlib import Path
from typing import Any

import pytest

from sound2scene.data.corpora.labels import Labelled, read_labels
from sound2scene.data.corpora.videos import clip_key, folder_videos
from sound2scene.data.selection.choice import MomentChoice
from sound2scene.data.selection.file import Selection
from sound2scene.moments import Choice
from sound2scene.types import InputError


def empty(folder: Path, *names: str) -> Path:
    """Files with the names of videos; jobs are made without opening them."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def by_key(jobs: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    return {job["key"]: job for found in jobs.values() for job in found}


def test_the_key_of_a_clip_is_its_path_without_slashes() -> None:
    assert clip_key("dog/a b/c") == "dog-a=20b-c"


def test_any_folder_is_matched_with_its_selection_by_path(tmp_path: Path) -> None:
    folder = empty(tmp_path / "videos", "dog/a b.mp4", "cat/a b.mp4")
    chosen = Selection({"name": "tests"}, {"dog/a b": Choice((1.5,), (), 10.0)}, {})
    source = folder_videos(folder, MomentChoice(chosen), None, (0.1, 0.0))
    jobs = by_key(source.jobs)
    assert jobs["dog-a=20b"]["moment_s"] == 1.5
    assert jobs["cat-a=20b"]["rejected"][0] == "not_selected"
    assert {job["label"] for job in jobs.values()} == {None}


def test_folders_name_classes_and_a_hash_of_the_name_the_split(tmp_path: Path) -> None:
    names = [f"{label}/deep/{number}.mp4" for label in ("dog", "cat") for number in range(10)]
    folder = empty(tmp_path, *names, "top.mp4")
    source = folder_videos(folder, MomentChoice(), "folders", (0.25, 0.2))
    assert {split: len(jobs) for split, jobs in source.jobs.items()} == {"train": 13, "val": 4, "test": 4}
    jobs = by_key(source.jobs)
    assert (jobs["dog-deep-3"]["label"], jobs["top"]["label"]) == ("dog", None)
    assert source.notes["coverage"] == {
        "train": {"found": 13, "expected": 13},
        "val": {"found": 4, "expected": 4},
        "test": {"found": 4, "expected": 4},
    }
    of_dogs = folder_videos(folder, MomentChoice(), "folders", (0.0, 0.2), ["dog"])
    assert {job["label"] for job in by_key(of_dogs.jobs).values()} == {"dog"}
    assert len(of_dogs.strays["outside_classes"]) == 11
    assert {job["key"] for job in of_dogs.jobs["test"]} <= {job["key"] for job in jobs.values()}
    with pytest.raises(InputError, match="no videos of the classes frog; check"):
        folder_videos(folder, MomentChoice(), "folders", (0.1, 0.0), ["frog"])


def test_folders_as_labels_of_a_flat_folder_are_refused_and_a_few_flat_videos_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flat = empty(tmp_path / "flat", "a.mp4", "b.mp4")
    told = (
        r"flat: none of its 2 videos lies in a folder of its class, as labels `folders` wants; make a folder"
    )
    with pytest.raises(InputError, match=told):
        folder_videos(flat, MomentChoice(), "folders", (0.5, 0.0))
    mixed = empty(tmp_path / "mixed", "dog/a.mp4", "cat/b.mp4", "top.mp4")
    folder_videos(mixed, MomentChoice(), "folders", (0.5, 0.0))
    assert (
        "mixed: 1 of 3 videos, such as top.mp4, lie in no folder and have no class" in capsys.readouterr().err
    )


def test_a_table_gives_labels_and_splits_and_what_it_has_more_is_missing(tmp_path: Path) -> None:
    folder = empty(tmp_path, "a.mp4", "b/c.mp4", "d.mp4", "e.mp4", "unknown.mp4")
    table = {
        "a": Labelled("dog", "train"),
        "b/c": Labelled("cat", "test"),
        "d": Labelled("cat", "train"),
        "e": Labelled("cat", "train"),
        "gone": Labelled("dog", "test"),
        "lost": Labelled("dog", "val"),
    }
    source = folder_videos(folder, MomentChoice(), table, (0.5, 0.4))
    keys = {split: sorted(job["key"] for job in jobs) for split, jobs in source.jobs.items()}
    assert keys == {
        "train": ["a", "d", "e", "unknown"],
        "test": ["b-c"],
    }  # the table has a split `val` of its own
    assert by_key(source.jobs)["unknown"]["label"] is None
    assert source.missing == {"test": ["gone"], "val": ["lost"]}
    assert source.notes["coverage"] == {
        "train": {"found": 4, "expected": 4},
        "val": {"found": 0, "expected": 1},
        "test": {"found": 1, "expected": 2},
    }
    del table["lost"]
    splits = folder_videos(folder, MomentChoice(), table, (0.5, 0.4)).jobs
    assert {split: len(jobs) for split, jobs in splits.items()} == {"train": 2, "val": 2, "test": 1}


def test_two_videos_of_one_key_are_refused_by_the_names_of_both_files(tmp_path: Path) -> None:
    folder = empty(tmp_path, "dog/1.mp4", "dog-1.mp4", "other.mp4")
    reason = r"dog-1\.mp4 and .*dog/1\.mp4: both become the clip dog-1; rename one of them"
    with pytest.raises(InputError, match=reason):
        folder_videos(folder, MomentChoice(), None, (0.1, 0.0))


def test_names_in_other_scripts_and_long_ones_are_clips_of_their_own(tmp_path: Path) -> None:
    names = ["犬.mp4", "猫.mp4", "a b.mp4", "a_b.mp4", "n" * 251 + ".mp4", "n" * 250 + "m.mp4"]
    folder = empty(tmp_path, *names)
    (tmp_path / os.fsdecode(b"caf\xe9.mp4")).touch()
    keys = by_key(folder_videos(folder, MomentChoice(), None, (0.1, 0.1)).jobs)
    assert len(keys) == len(names) + 1


@pytest.mark.parametrize("key", ["{}/dog/1.mp4", "./dog/1.mp4", "dog/1", "dog//1.mp4", "dog\\1.mp4"])
def test_keys_as_absolute_or_relative_paths_are_matched_by_name(key: str, tmp_path: Path) -> None:
    folder = empty(tmp_path / "videos", "dog/1.mp4", "cat/2.mp4")
    table = tmp_path / "labels.csv"
    table.write_text(f"key,label\n{key.format(folder)},dog\n")
    source = folder_videos(folder, MomentChoice(), read_labels(table), (0.1, 0.0))
    assert {job["key"]: job["label"] for job in by_key(source.jobs).values()} == {
        "dog-1": "dog",
        "cat-2": None,
    }


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        (["/elsewhere/dog/1.mp4", "cat/2"], "/elsewhere/dog/1: a key that does not lie in"),
        (["1.mp4", "2.mp4"], r"none of the table's 2 keys \(1 \.\.\.\) names one of its 2 videos"),
        (["dog/1", "{}/dog/1.mp4"], "names dog/1 twice"),
    ],
)
def test_a_table_that_names_none_of_the_videos_is_refused(
    keys: list[str], complaint: str, tmp_path: Path
) -> None:
    folder = empty(tmp_path / "videos", "dog/1.mp4", "cat/2.mp4")
    (tmp_path / "labels.csv").write_text(
        "key,label\n" + "".join(f"{key.format(folder)},dog\n" for key in keys)
    )
    with pytest.raises(InputError, match=complaint) as caught:
        folder_videos(folder, MomentChoice(), read_labels(tmp_path / "labels.csv"), (0.1, 0.0))
    assert "\n" not in str(caught.value)


def test_labels_without_a_video_and_videos_without_a_label_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = empty(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    table = {"a": Labelled("dog"), "gone": Labelled("dog")}
    folder_videos(folder, MomentChoice(), table, (0.1, 0.0))
    assert capsys.readouterr().err.splitlines() == [
        f"{folder}: 1 of the table's 2 keys name no video",
        f"{folder}: 2 of 3 videos are not in the table",
    ]
