import csv
import json
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drawn_videos import write_video
from forked import Forked
from sound2scene import cli
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.corpora.videos import folder_videos
from sound2scene.data.datasets import VEGASVideosDataModule, VGGSoundVideosDataModule, VideosDataModule
from sound2scene.data.prepare import prepare_vggsound_videos
from sound2scene.data.selection.choice import MomentChoice
from sound2scene.data.shards.read import ShardDataset
from sound2scene.data.shards.verify import verify
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.data.video.clip import make_video_clip
from sound2scene.types import Clip, Rejected

CLIPS = {
    "a_video-_01_000030": ("dog", "train"),
    "-_video-_02_000030": ("dog", "train"),
    "a_video-_03_000030": ("cat", "train"),
    "a_video-_04_000030": ("cat", "test"),
    "a_video-_05_000030": ("dog", "test"),
}


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def vggsound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`vggsound.csv` with five clips, and `videos` with four of them, one of which is silent, and a stray."""
    root = tmp_path_factory.mktemp("vggsound")
    lines = [f"{name[:11]},30,{label},{split}" for name, (label, split) in CLIPS.items()]
    (root / "vggsound.csv").write_text("\n".join(lines) + "\n")
    for name in list(CLIPS)[:4]:
        write_video(root / "videos" / f"{name}.mkv", sound="silent" if "-_03_" in name else "steps")
    write_video(root / "videos" / "sub" / "holiday.mkv")
    return root


def test_the_command_makes_shards_and_a_report_of_a_folder_of_videos(
    vggsound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards = tmp_path / "shards"
    given = ["--csv", str(vggsound / "vggsound.csv"), "--videos", str(vggsound / "videos"), "-o", str(shards)]
    assert cli.main(["prepare", "vggsound", *given, "--val-share", "0", "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert (
        "train 2 clips (1 rejected: 1 silent), val 0 clips (0 rejected), test 1 clips (0 rejected)\n" in out
    )
    assert "1 files left out: not_in_table\ncoverage: train 2 of 3, test 1 of 2; see " in out
    report = read(shards / "report.json")
    assert report["splits"]["train"]["rejected"]["silent"]["keys"] == ["a_video-_03_30000_40000"]
    assert report["strays"] == {"not_in_table": {"count": 1, "files": ["sub/holiday.mkv"]}}
    assert report["missing"] == {"train": 0, "test": 1}
    assert (shards / "missing.txt.gz").exists()
    assert verify(shards) == []
    assert ClipDataModule(str(shards)).coverage() == {
        "train": {"found": 3, "expected": 3, "clips": 2},
        "test": {"found": 1, "expected": 2, "clips": 1},
    }
    (clip,) = ShardDataset(shards, "test")  # type: ignore[misc]
    assert (clip.key, clip.label, clip.moment_s) == ("a_video-_04_30000_40000", "cat", 1.2)
    assert cli.main(["verify", str(shards)]) == 0


def test_the_command_takes_videos_or_pairs_and_not_both(
    vggsound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["prepare", "vggsound", "--table", str(vggsound / "vggsound.csv"), "-o", str(tmp_path / "shards")]
    assert cli.main(given) == 2
    assert cli.main([*given, str(vggsound), "--videos", str(vggsound)]) == 2
    assert (
        capsys.readouterr().err.count("give --videos, or a folder with images/ and audios/, and not both")
        == 2
    )


def test_missing_shards_are_prepared_from_videos_once(vggsound: Path, tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("dog\n")
    data = VGGSoundVideosDataModule(
        str(vggsound / "videos"),
        str(vggsound / "vggsound.csv"),
        str(tmp_path / "shards"),
        str(tmp_path / "classes.txt"),
        val_share=0.5,
        batch_size=1,
        workers=0,
    )
    data.prepare_data()
    assert {split: len(data.dataset(split)) for split in ("train", "val", "test")} == {
        "train": 1,
        "val": 1,
        "test": 0,
    }
    assert read(tmp_path / "shards" / "dataset.json")["notes"]["outside_classes"] == 2
    stamp = (tmp_path / "shards" / "dataset.json").stat().st_mtime_ns
    data.prepare_data()
    assert (tmp_path / "shards" / "dataset.json").stat().st_mtime_ns == stamp


def test_vegas_takes_the_five_or_the_ten_class_folders(tmp_path: Path) -> None:
    for number in range(4):
        for label in ("dog", "drum", "holiday"):
            write_video(tmp_path / "videos" / label / f"{number}.mkv")
    for five, labels in ((True, {"dog"}), (False, {"dog", "drum"})):
        data = VEGASVideosDataModule(
            str(tmp_path / "videos"), str(tmp_path / str(five)), five, val_share=0.25, test_share=0.25
        )
        data.prepare_data()
        splits = [data.dataset(split) for split in ("train", "val", "test")]
        assert {shards[n].label for shards in splits for n in range(len(shards))} == labels
        assert all(map(len, splits))
        strays = read(tmp_path / str(five) / "report.json")["strays"]["outside_classes"]
        assert strays["count"] == 4 * (3 - len(labels))


def test_any_folder_becomes_a_dataset_with_or_without_labels(tmp_path: Path) -> None:
    for name in ("a/1", "a/2", "b/1"):
        write_video(tmp_path / "videos" / f"{name}.mkv")
    (tmp_path / "labels.csv").write_text(
        "key,label,split\na/1.mkv,dog,train\na/2.mkv,dog,test\nb/1.mkv,cat,train\n"
    )
    for labels, classes in (
        (None, []),
        ("folders", ["a", "b"]),
        (str(tmp_path / "labels.csv"), ["cat", "dog"]),
    ):
        shards = tmp_path / f"shards-{len(classes)}-{labels is None or labels == 'folders'}"
        VideosDataModule(str(tmp_path / "videos"), str(shards), labels, val_share=0.0).prepare_data()
        card = read(shards / "dataset.json")
        assert (card["name"], card["classes"]) == ("videos", classes)
    assert ShardDataset(shards, "test").key(0) == "a-2"


def few_clips(trace: Path, count: int, job: dict[str, Any]) -> Clip | Rejected:
    """Clips, until a run has made some; then none comes any more."""
    with trace.open("a") as file:
        file.write(f"{job['key']}\n")
    while len(trace.read_text().splitlines()) > count:
        time.sleep(1)
    return make_video_clip(job)


def write(videos: Path, shards: Path, make: Callable[[dict[str, Any]], Clip | Rejected]) -> None:
    found = folder_videos(videos, MomentChoice(), "folders", (0.2, 0.0))
    write_dataset(shards, found.splits, make, Plan("v", clips_per_shard=2, workers=2, notes=found.notes))


def kill(videos: Path, shards: Path, make: Callable[..., Clip | Rejected], delay_s: float) -> None:
    """Start writing in another process and kill it some time after it has begun."""
    before = set(shards.rglob("*"))
    writer = Forked(write, videos, shards, make)
    while set(shards.rglob("*")) == before and writer.is_running():
        time.sleep(0.005)
    time.sleep(delay_s)
    assert writer.kill().status == -signal.SIGKILL


def check_kills(folder: Path, kills: int, videos: int, longest_s: float) -> None:
    """Kill again and again, go on to the end, and compare with an undisturbed run."""
    for number in range(videos):
        sound = None if number % 5 == 3 else "steps"
        write_video(folder / "videos" / "ab"[number % 2] / f"{number}.mkv", sound=sound)
    rng = random.Random(0)
    for number in range(kills):
        make = partial(few_clips, folder / f"trace-{number}", videos // (kills + 1))  # the last has some left
        kill(folder / "videos", folder / "killed", make, rng.uniform(0, longest_s))
    for name in ("killed", "whole"):
        write(folder / "videos", folder / name, make_video_clip)
    assert content(folder / "killed") == content(folder / "whole")
    assert {path.suffix for path in (folder / "killed").rglob("*.*")} == {".tar", ".npz", ".jsonl", ".json"}
    assert {path.name for path in (folder / "killed").rglob("*.json")} == {"dataset.json", "report.json"}
    assert not list((folder / "killed").rglob("*.tmp"))


def test_a_run_that_is_killed_twice_and_goes_on_equals_an_undisturbed_one(tmp_path: Path) -> None:
    check_kills(tmp_path, kills=2, videos=16, longest_s=0.3)


@pytest.mark.slow
def test_a_run_that_is_killed_ten_times_and_goes_on_equals_an_undisturbed_one(tmp_path: Path) -> None:
    check_kills(tmp_path, kills=10, videos=80, longest_s=0.5)


def test_real_videos_find_their_labels_and_splits_in_the_real_table(real_data: Path, tmp_path: Path) -> None:
    table = real_data / "metadata" / "vggsound.csv.gz"
    shards = prepare_vggsound_videos(
        tmp_path / "shards", real_data / "videos", table, val_share=0.0, workers=2
    )
    with (real_data / "videos" / "manifest.csv").open() as file:
        known = {row["file"]: row for row in csv.DictReader(file)}
    splits = [ShardDataset(shards, split) for split in ("train", "test")]
    clips = [split[position] for split in splits for position in range(len(split))]
    assert len(clips) == 10
    for clip in clips:
        row = known[clip.metadata["video"]]
        assert clip.label == row["label"]
    assert ClipDataModule(str(shards)).coverage() == {
        "train": {"found": 5, "expected": 183_730, "clips": 5},
        "test": {"found": 5, "expected": 15_446, "clips": 5},
    }
    report = read(shards / "report.json")
    assert report["missing"] == {"train": 183_725, "test": 15_441}
    assert report["strays"]["not_in_table"]["count"] == 24
    assert verify(shards) == []
