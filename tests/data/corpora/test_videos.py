import json
from pathlib import Path
from typing import Any

import pytest

from sound2scene.data.corpora.labels import Labelled
from sound2scene.data.corpora.videos import folder_videos
from sound2scene.data.selection.choice import MomentChoice
from sound2scene.data.selection.file import Choice, Selection
from sound2scene.data.vggsound.jobs import vggsound_videos
from sound2scene.data.vggsound.names import ClipName, clip_name
from sound2scene.data.vggsound.table import Row
from sound2scene.types import InputError


def empty(folder: Path, *names: str) -> Path:
    """Files with the names of videos; jobs are made without opening them."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def selection(
    path: Path, moments: dict[str, float], rejected: dict[str, tuple[str, str]] | None = None
) -> Path:
    choices = {key: Choice((moment_s, 9.0), (0.75, 0.5), 10.0) for key, moment_s in moments.items()}
    Selection({"name": "tests", "fingerprint": "ab", "settings": {}}, choices, rejected or {}).save(path)
    return path


def by_key(splits: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    return {job["key"]: job for jobs in splits.values() for job in jobs}


def table_of(names: dict[str, tuple[str, str]]) -> dict[ClipName, Row]:
    return {ClipName.parse(name): Row(*row) for name, row in names.items()}


TABLE = table_of(
    {
        "video-_0000_000030": ("dog", "train"),
        "-ideo-_0001_000040": ("dog", "test"),
        "video-_0002_000050": ("cat", "train"),
        "video-_0003_000060": ("cat", "test"),
        "video-_0003_000160": ("dog", "test"),
    }
)


def test_videos_of_every_spelling_are_found_in_any_folder_and_strays_are_listed(tmp_path: Path) -> None:
    folder = empty(
        tmp_path,
        "video-_0000_000030.mp4",
        "deep/er/-ideo-_0001_40000_50000.webm",
        "a/video-_0002_50.000.mkv",
        "holiday.mp4",
        "deep/video-_0002_000777.mp4",
        "video-_0003_000060.txt",
    )
    source = vggsound_videos(folder, TABLE, MomentChoice(spelling=clip_name), val_share=0.0)
    assert {split: [job["key"] for job in jobs] for split, jobs in source.splits.items()} == {
        "train": ["video-_0002_50000_60000", "video-_0000_30000_40000"],
        "val": [],
        "test": ["-ideo-_0001_40000_50000"],
    }
    assert by_key(source.splits)["-ideo-_0001_40000_50000"] == {
        "key": "-ideo-_0001_40000_50000",
        "label": "dog",
        "moment_s": "middle",
        "side_px": 256,
        "video": str(folder / "deep/er/-ideo-_0001_40000_50000.webm"),
    }
    assert source.strays == {"not_in_table": ["deep/video-_0002_000777.mp4", "holiday.mp4"]}
    assert source.missing == {"train": [], "test": ["video-_0003_60000_70000", "video-_0003_160000_170000"]}
    assert source.notes["coverage"] == {
        "train": {"found": 2, "expected": 2},
        "test": {"found": 1, "expected": 3},
    }


def test_coverage_and_missing_clips_are_those_of_the_classes_taken(tmp_path: Path) -> None:
    folder = empty(tmp_path, "video-_0000_000030.mp4", "video-_0002_000050.mp4")
    source = vggsound_videos(folder, TABLE, MomentChoice(spelling=clip_name), ["dog"], 0.0)
    assert list(by_key(source.splits)) == ["video-_0000_30000_40000"]
    assert source.notes["coverage"] == {
        "train": {"found": 1, "expected": 1},
        "test": {"found": 0, "expected": 2},
    }
    assert source.notes["outside_classes"] == 1
    assert source.missing == {"train": [], "test": ["-ideo-_0001_40000_50000", "video-_0003_160000_170000"]}


def test_two_files_of_one_clip_are_refused_by_name(tmp_path: Path) -> None:
    folder = empty(tmp_path, "a/video-_0000_000030.mp4", "b/video-_0000_30000_40000.mp4")
    complaint = (
        r"1 clips have two files: a/video-_0000_000030\.mp4 and b/video-_0000_30000_40000\.mp4; keep one"
    )
    with pytest.raises(InputError, match=complaint):
        vggsound_videos(folder, TABLE, MomentChoice(spelling=clip_name))


def test_selected_moments_are_found_by_name_in_any_spelling_and_folder(tmp_path: Path) -> None:
    folder = empty(
        tmp_path / "videos", "video-_0000_000030.mp4", "x/-ideo-_0001_000040.mp4", "video-_0002_000050.mp4"
    )
    chosen = selection(
        tmp_path / "s.json",
        {"other/video-_0000_30000_40000": 4.2, "holiday": 1.0},
        {"-ideo-_0001_40.000": ("silent", "is silent")},
    )
    moments = MomentChoice(chosen, spelling=clip_name)
    jobs = by_key(vggsound_videos(folder, TABLE, moments).splits)
    first = jobs["video-_0000_30000_40000"]
    assert (first["moment_s"], first["metadata"]) == (4.2, {"score": 0.75, "scorer": "tests"})
    assert jobs["-ideo-_0001_40000_50000"]["rejected"] == ("silent", "is silent")
    assert jobs["video-_0002_50000_60000"]["rejected"][0] == "not_selected"
    assert moments.notes() == {
        "frame": None,
        "side_px": 256,
        "scorer": {"name": "tests", "fingerprint": "ab", "settings": {}},
    }
    either = by_key(vggsound_videos(folder, TABLE, MomentChoice(chosen, "random", spelling=clip_name)).splits)
    assert either["video-_0002_50000_60000"]["moment_s"] == "random"
    assert either["video-_0000_30000_40000"]["moment_s"] == 4.2


def test_the_published_annotation_is_a_selection_too(tmp_path: Path) -> None:
    folder = empty(tmp_path / "videos", "video-_0000_000030.mp4")
    (tmp_path / "published.json").write_text(json.dumps([{}, {"video-_0000_30000_40000": [47, 1]}]))
    jobs = by_key(
        vggsound_videos(folder, TABLE, MomentChoice(tmp_path / "published.json", spelling=clip_name)).splits
    )
    assert jobs["video-_0000_30000_40000"]["moment_s"] == pytest.approx(4.6)
    assert jobs["video-_0000_30000_40000"]["metadata"] == {"scorer": "published"}


def test_a_selection_that_is_none_or_names_a_clip_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match=r"s\.json: not a selection"):
        MomentChoice(tmp_path / "s.json")
    twice = selection(tmp_path / "t.json", {"a/video-_0000_000030": 1.0, "video-_0000_30000_40000": 2.0})
    assert MomentChoice(twice)
    with pytest.raises(InputError, match=r"t\.json: video-_0000_30000_40000 stands twice"):
        MomentChoice(twice, spelling=clip_name)
    with pytest.raises(InputError, match="side 0: give"):
        MomentChoice(side_px=0)


def test_any_folder_is_matched_with_its_selection_by_path(tmp_path: Path) -> None:
    folder = empty(tmp_path / "videos", "dog/a b.mp4", "cat/a b.mp4")
    source = folder_videos(folder, MomentChoice(selection(tmp_path / "s.json", {"dog/a b": 1.5})))
    jobs = by_key(source.splits)
    assert jobs["dog-a_b"]["moment_s"] == 1.5
    assert jobs["cat-a_b"]["rejected"][0] == "not_selected"
    assert {job["label"] for job in jobs.values()} == {None}


def test_folders_name_classes_and_a_hash_of_the_name_the_split(tmp_path: Path) -> None:
    names = [f"{label}/deep/{number}.mp4" for label in ("dog", "cat") for number in range(10)]
    folder = empty(tmp_path, *names, "top.mp4")
    source = folder_videos(folder, MomentChoice(), "folders", (0.25, 0.2))
    assert {split: len(jobs) for split, jobs in source.splits.items()} == {"train": 13, "val": 4, "test": 4}
    jobs = by_key(source.splits)
    assert (jobs["dog-deep-3"]["label"], jobs["top"]["label"]) == ("dog", None)
    assert source.notes["coverage"] == {
        "train": {"found": 17, "expected": 17},
        "test": {"found": 4, "expected": 4},
    }
    of_dogs = folder_videos(folder, MomentChoice(), "folders", (0.0, 0.2), ["dog"])
    assert {job["label"] for job in by_key(of_dogs.splits).values()} == {"dog"}
    assert len(of_dogs.strays["outside_classes"]) == 11
    assert {job["key"] for job in of_dogs.splits["test"]} <= {job["key"] for job in jobs.values()}
    with pytest.raises(InputError, match="no videos of the classes frog; check"):
        folder_videos(folder, MomentChoice(), "folders", classes=["frog"])


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
    source = folder_videos(folder, MomentChoice(), table, (0.5, 0.5))
    keys = {split: sorted(job["key"] for job in jobs) for split, jobs in source.splits.items()}
    assert keys == {
        "train": ["a", "d", "e", "unknown"],
        "test": ["b-c"],
    }  # the table has a split `val` of its own
    assert by_key(source.splits)["unknown"]["label"] is None
    assert source.missing == {"test": ["gone"], "train": ["lost"]}
    assert source.notes["coverage"] == {
        "train": {"found": 4, "expected": 5},
        "test": {"found": 1, "expected": 2},
    }
    del table["lost"]
    splits = folder_videos(folder, MomentChoice(), table, (0.5, 0.5)).splits
    assert {split: len(jobs) for split, jobs in splits.items()} == {"train": 2, "val": 2, "test": 1}
