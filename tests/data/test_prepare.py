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

from drawn_clips import write_pairs
from drawn_videos import write_video
from forked import Forked
from sound2scene import cli
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.corpora.videos import folder_videos
from sound2scene.data.prepare import prepare_folder, prepare_toy, prepare_vegas, prepare_vggsound
from sound2scene.data.selection.choice import MomentChoice
from sound2scene.data.selection.file import Selection
from sound2scene.data.settings import MomentSettings
from sound2scene.data.shards.read import ShardDataset
from sound2scene.data.shards.verify import verify
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.data.toy.world import Truth, read_truth
from sound2scene.data.video.clip import make_video_clip
from sound2scene.moments import Choice
from sound2scene.types import Clip, InputError, Rejected

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


def test_moments_of_pictures_cannot_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a_video-_01,30,dog,train\n")
    source = write_pairs(tmp_path / "source" / "dog", ["a_video-_01_000030", "a_video-_02_000030"]).parent
    for moments in (
        MomentSettings("selection.json"),
        MomentSettings(frame="random"),
        MomentSettings(side_px=64),
    ):
        with pytest.raises(InputError, match="source: holds pictures, of which no moment can be chosen"):
            prepare_vggsound(tmp_path / "s", source, tmp_path / "table.csv", moments=moments)
        with pytest.raises(InputError, match="source: holds pictures, of which no moment can be chosen"):
            prepare_vegas(tmp_path / "s", source, moments=moments)


def test_the_published_annotation_is_a_selection_too(vggsound: Path, tmp_path: Path) -> None:
    (tmp_path / "published.json").write_text(json.dumps([{}, {"a_video-_04_30000_40000": [8, 1]}]))
    table, moments = vggsound / "vggsound.csv", MomentSettings(tmp_path / "published.json")
    shards = prepare_vggsound(tmp_path / "shards", vggsound / "videos", table, moments=moments)
    (clip,) = ShardDataset(shards, "test")  # type: ignore[misc]
    assert clip.moment_s == pytest.approx(0.7)
    assert clip.metadata["scorer"] == "published"


def test_a_folder_of_pairs_is_named_after_itself(tmp_path: Path) -> None:
    source = write_pairs(tmp_path / "source", ["a", "b", "c", "d"])
    shards = prepare_folder(tmp_path / "shards", source, 0.25, 0.25)
    assert card(shards)["name"] == "source"
    assert sizes(shards) == {"train": 2, "val": 1, "test": 1}


def card(folder: Path) -> dict[str, Any]:
    return read(folder / "dataset.json")


def sizes(folder: Path) -> dict[str, int]:
    return {split: found["clips"] for split, found in card(folder)["splits"].items()}


TOY_CLIPS = {"train": 3, "val": 2, "test": 1}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos and shards of the true moment."""
    folder = tmp_path_factory.mktemp("toy")
    prepare_toy(folder / "true", folder / "videos", "true", None, TOY_CLIPS, mixed=0.34, workers=2)
    return folder


def test_the_toy_world_becomes_shards_with_its_choice_of_moment(toy: Path) -> None:
    assert sizes(toy / "true") == {"train": 4, "val": 3, "test": 1}
    notes = card(toy / "true")["notes"]
    assert notes == {"frame": "true", "seed": 0, "videos": {"train": 3, "val": 2, "test": 1}, "mixed": 0.34}
    true = ShardDataset(toy / "true", "train")
    assert all(true[n].moment_s == pytest.approx(moment(true[n].metadata)) for n in range(3))
    assert all(
        Truth.from_json(true[n].metadata) == truth
        for n, truth in enumerate(read_truth(toy / "videos", "train"))
    )
    assert true.label_N.tolist() == [0, 1, 2, -1]  # two sources have no one label


@pytest.mark.costly
def test_the_frame_is_that_of_the_moment(toy: Path) -> None:
    middle = prepare_toy(toy / "middle", toy / "videos", "middle", None, TOY_CLIPS, 0.34)
    chosen = Selection({"name": "x"}, {}, {"val/toy-val-000001": ("silent", "toy-val-000001.mp4: is silent")})
    for split in TOY_CLIPS:
        for truth in read_truth(toy / "videos", split):
            name = f"{split}/{truth.key}"
            if name not in chosen.rejected:
                chosen.videos[name] = Choice((truth.moment_true_s, 1.0), (2.0, 1.0), 10.0)  # type: ignore[index]
    chosen.save(toy / "selection.json")
    selected = prepare_toy(
        toy / "selected", toy / "videos", "localizer", toy / "selection.json", TOY_CLIPS, 0.34
    )
    assert (card(middle)["notes"]["frame"], card(selected)["notes"]["frame"]) == ("middle", "localizer")
    assert card(selected)["notes"]["scorer"] == {"name": "x"}
    assert sizes(selected) == {"train": 4, "val": 2, "test": 1}
    assert card(selected)["splits"]["val"]["kinds"] == {"silent": 1}
    true, other, same = (ShardDataset(toy / name, "train") for name in ("true", "middle", "selected"))
    assert {other[n].moment_s for n in range(4)} == {5.0}
    seen = [(true[n].jpeg == same[n].jpeg, true[n].jpeg == other[n].jpeg) for n in range(4)]
    assert [alike for alike, _ in seen] == [True] * 4
    assert sum(alike for _, alike in seen) <= 2  # the middle frame often misses the object


def test_a_choice_of_a_localizer_needs_its_selection_and_every_video_in_it(toy: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs a selection"):
        prepare_toy(tmp_path / "s", toy / "videos", "localizer", None, TOY_CLIPS, 0.34)
    Selection({"name": "x"}, {}, {}).save(tmp_path / "selection.json")
    with pytest.raises(InputError, match=r"toy-train-000000.mp4: not in the selection; select the moments"):
        prepare_toy(tmp_path / "s", toy / "videos", "localizer", tmp_path / "selection.json", TOY_CLIPS, 0.34)


def moment(truth: Any) -> float:
    (source,) = truth["sources"]
    return float(source["start_s"] + source["end_s"]) / 2


def few_clips(trace: Path, count: int, job: dict[str, Any]) -> Clip | Rejected:
    """Clips, until a run has made some; then none comes any more."""
    with trace.open("a") as file:
        file.write(f"{job['key']}\n")
    while len(trace.read_text().splitlines()) > count:
        time.sleep(1)
    return make_video_clip(job)


def write(videos: Path, shards: Path, make: Callable[[dict[str, Any]], Clip | Rejected]) -> None:
    found = folder_videos(videos, MomentChoice(), "folders", (0.2, 0.0))
    write_dataset(shards, found.jobs, make, Plan("v", clips_per_shard=2, workers=2, notes=found.notes))


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
    assert not list((folder / "killed").rglob(".*"))


@pytest.mark.slow
def test_a_run_that_is_killed_twice_and_goes_on_equals_an_undisturbed_one(tmp_path: Path) -> None:
    check_kills(tmp_path, kills=2, videos=16, longest_s=0.3)


@pytest.mark.slow
def test_a_run_that_is_killed_ten_times_and_goes_on_equals_an_undisturbed_one(tmp_path: Path) -> None:
    check_kills(tmp_path, kills=10, videos=80, longest_s=0.5)


@pytest.mark.slow
def test_real_videos_find_their_labels_and_splits_in_the_real_table(real_data: Path, tmp_path: Path) -> None:
    table = real_data / "metadata" / "vggsound.csv.gz"
    shards = prepare_vggsound(tmp_path / "shards", real_data / "videos", table, val_share=0.0, workers=2)
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
