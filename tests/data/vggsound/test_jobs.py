from pathlib import Path
from typing import Any

import pytest

from drawn_clips import write_pairs, write_picture, write_sound
from sound2scene.data.selection.choice import MomentChoice
from sound2scene.data.selection.file import Selection
from sound2scene.data.vggsound.jobs import vggsound_pairs, vggsound_videos
from sound2scene.data.vggsound.names import ClipName, clip_name
from sound2scene.data.vggsound.table import Row, read_classes, read_table
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
    source = vggsound_videos(folder, TABLE, MomentChoice(spelling=clip_name), None, 0.0)
    assert {split: [job["key"] for job in jobs] for split, jobs in source.jobs.items()} == {
        "train": ["video-_0002_50000_60000", "video-_0000_30000_40000"],
        "val": [],
        "test": ["-ideo-_0001_40000_50000"],
    }
    assert by_key(source.jobs)["-ideo-_0001_40000_50000"] == {
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
    assert list(by_key(source.jobs)) == ["video-_0000_30000_40000"]
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
        vggsound_videos(folder, TABLE, MomentChoice(spelling=clip_name), None, 0.0)


def test_the_moments_of_selected_clips_become_jobs(tmp_path: Path) -> None:
    folder = empty(tmp_path, "video-_0000_000030.mp4", "x/-ideo-_0001_000040.mp4")
    chosen = Selection({"name": "tests"}, {"other/video-_0000_30.000": Choice((4.2,), (0.75,), 10.0)}, {})
    moments = MomentChoice(chosen, "random", spelling=clip_name)
    source = vggsound_videos(folder, TABLE, moments, None, 0.0)
    assert {key: job["moment_s"] for key, job in by_key(source.jobs).items()} == {
        "video-_0000_30000_40000": 4.2,
        "-ideo-_0001_40000_50000": "random",
    }
    assert source.notes["scorer"] == {"name": "tests"}


def videos(count: int) -> list[str]:
    return [f"video-{number:05d}" for number in range(count)]


def counted_table(count: int, clips: int = 2) -> dict[ClipName, Row]:
    """`clips` clips of each video; every fifth video in the test, every third a dog."""
    return {
        ClipName(video, 10_000 * clip): Row(
            "cat" if number % 3 else "dog", "test" if number % 5 == 0 else "train"
        )
        for number, video in enumerate(videos(count))
        for clip in range(clips)
    }


def test_clips_keep_the_official_split_and_validation_takes_whole_videos(tmp_path: Path) -> None:
    table = counted_table(20)
    for seed, name in enumerate(table):
        spelling = (name.in_ms(), name.in_s(), f"{name.video}_{name.start_ms / 1000:.3f}")[seed % 3]
        write_picture(tmp_path / "images" / f"{spelling}.jpg", seed)
        write_sound(tmp_path / "audios" / f"{spelling}.wav", seed)
    splits, notes, *_ = vggsound_pairs(tmp_path, table, None, 0.25)
    sizes = {"train": 24, "val": 8, "test": 8}
    assert {split: len(jobs) for split, jobs in splits.items()} == sizes
    of = {split: {job["key"][:11] for job in jobs} for split, jobs in splits.items()}
    assert not of["train"] & of["val"]
    assert not (of["train"] | of["val"]) & of["test"]
    for split, jobs in splits.items():
        for job in jobs:
            row = table[ClipName.parse(job["key"])]
            assert (job["label"], row.split) == (row.label, "test" if split == "test" else "train")
    assert notes["coverage"] == {split: {"found": n, "expected": n} for split, n in sizes.items()}


def test_picture_and_sound_meet_in_different_spellings(tmp_path: Path) -> None:
    name = ClipName("-_000030_-_", 30_000)
    write_picture(tmp_path / "images" / f"{name.in_ms()}.jpg")
    write_sound(tmp_path / "audios" / f"{name.in_s()}.wav")
    splits, *_ = vggsound_pairs(tmp_path, {name: Row("dog", "test")}, None, 0.0)
    (job,) = splits["test"]
    assert job["key"] == name.in_ms()
    assert job["image"] is not None
    assert job["sound"] is not None


def test_coverage_counts_whole_pairs_of_the_classes_taken(tmp_path: Path) -> None:
    table = counted_table(20, clips=1)
    dogs = [name for name, row in table.items() if row.label == "dog"]
    cats = [name for name, row in table.items() if row.label == "cat"]
    write_pairs(tmp_path, [name.in_s() for name in [*dogs[:4], *cats[:3]]])
    write_sound(tmp_path / "audios" / f"{dogs[5].in_s()}.wav")
    splits, notes, missing, _ = vggsound_pairs(tmp_path, table, ["dog"], 0.05)
    assert {job["label"] for jobs in splits.values() for job in jobs} == {"dog"}
    assert sum(map(len, splits.values())) == 5  # the half is there, to be reported as rejected
    found = {split: sum(table[name].split == split for name in dogs[:4]) for split in ("train", "test")}
    expected = {split: sum(table[name].split == split for name in dogs) for split in ("train", "test")}
    held = notes["coverage"].pop("val")["found"]
    assert held == len(splits["val"]) == 1
    notes["coverage"]["train"] = {name: n + held for name, n in notes["coverage"]["train"].items()}
    assert notes["coverage"] == {
        split: {"found": found[split], "expected": expected[split]} for split in ("train", "test")
    }
    assert notes["outside_classes"] == 3
    there = {job["key"] for jobs in splits.values() for job in jobs}
    assert {key for keys in missing.values() for key in keys} == {name.in_ms() for name in dogs} - there


def test_names_classes_and_clips_that_are_not_of_the_table_are_refused(tmp_path: Path) -> None:
    table = counted_table(3)
    write_pairs(tmp_path / "good", ["video-00001_000000"])
    with pytest.raises(InputError, match="classes not in the table: bark, dogs; check their spelling"):
        vggsound_pairs(tmp_path / "good", table, ["dogs", "dog", "bark"], 0.0)
    write_pairs(tmp_path / "bad", ["holiday"])
    with pytest.raises(InputError, match="'holiday': not a VGGSound name"):
        vggsound_pairs(tmp_path / "bad", table, None, 0.0)
    write_pairs(tmp_path / "other", ["video-00001_000777"])
    with pytest.raises(InputError, match="not in the table; remove it"):
        vggsound_pairs(tmp_path / "other", table, None, 0.0)


@pytest.mark.slow
def test_the_50_classes_of_the_paper_have_the_published_counts(
    real_data: Path,
) -> None:
    table, classes = read_table(real_data / "metadata" / "vggsound.csv.gz"), read_classes("50")
    samples = real_data / "vggsound_samples" / "training"
    splits, notes, *_ = vggsound_pairs(samples, table, classes, 0.0)
    assert {split: found["expected"] for split, found in notes["coverage"].items()} == {
        "train": 35_101,
        "test": 2498,
    }
    found = sum(part["found"] for part in notes["coverage"].values())
    assert found + notes["outside_classes"] == 4
    assert sum(map(len, splits.values())) == found
