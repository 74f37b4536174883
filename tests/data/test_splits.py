import csv
import json
from pathlib import Path

import pytest

from sound2scene.data.splits import FolderVideos, ToyVideos, VGGSoundVideos
from sound2scene.data.toy import world as toy
from sound2scene.types import InputError

TRAIN, TEST = [f"train{n:06d}" for n in range(4)], [f"tests{n:06d}" for n in range(4)]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight videos of two classes, their table, and boxes for three test clips, one of them overflown."""
    folder = tmp_path_factory.mktemp("vggsound")
    (folder / "videos").mkdir()
    with (folder / "vggsound.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        for number, name in enumerate(TRAIN + TEST):
            (folder / "videos" / f"{name}_000030.mp4").write_bytes(b"never opened")
            rows.writerow([name, 30, ("bell", "rain")[number % 2], "train" if name in TRAIN else "test"])
        rows.writerow(["absent00000", 30, "bell", "train"])
    boxes = [{"file": f"{name}_000030", "class": "x", "bbox": [[0.1, 0.2, 0.5, 0.6]]} for name in TEST[:3]]
    boxes[2]["bbox"] = [[0.1, 0.2, -2.8823037615171176e16, 0.6]]
    boxes[1]["bbox"] = [[0.1, 0.2, 0.5, 0.6], [0.5, 0.5, 1.0, 1.0]]
    (folder / "boxes.json").write_text(json.dumps(boxes))
    return folder


def test_the_official_splits_with_validation_out_of_train(videos: Path) -> None:
    splits = VGGSoundVideos(str(videos / "videos"), str(videos / "vggsound.csv"), val_share=0.25)
    keys = {split: {entry.key for entry in splits.entries(split)} for split in ("train", "val", "test")}
    assert keys["test"] == {f"{name}_30000_40000" for name in TEST}
    assert keys["train"] | keys["val"] == {f"{name}_30000_40000" for name in TRAIN}
    assert len(keys["val"]) == 1
    assert list(splits.classes) == ["bell", "rain"]
    assert {entry.label for entry in splits.entries("test")} == {"bell", "rain"}


def test_with_boxes_test_clips_measure_and_no_training_clip_does(videos: Path) -> None:
    paths = (str(videos / "videos"), str(videos / "vggsound.csv"), str(videos / "boxes.json"))
    splits = VGGSoundVideos(*paths)
    assert len(splits.entries("train")) == 4
    (val,), (test,) = splits.entries("val"), splits.entries("test")
    assert (val.key, test.key) == (f"{TEST[0]}_30000_40000", f"{TEST[1]}_30000_40000")
    assert test.known.boxes == ((0.1, 0.2, 0.5, 0.6), (0.5, 0.5, 1.0, 1.0))
    assert test.known.box_s == 5.0
    assert test.known.interval_s is None


def test_a_split_without_videos_is_named(videos: Path, tmp_path: Path) -> None:
    (tmp_path / f"{TRAIN[0]}_000030.mp4").write_bytes(b"")
    with pytest.raises(InputError, match="no video of the split test"):
        VGGSoundVideos(str(tmp_path), str(videos / "vggsound.csv")).entries("test")


def test_a_complete_toy_world_of_any_size_is_taken_as_it_is(tmp_path: Path) -> None:
    toy.write_videos(tmp_path, {"train": 2, "val": 1, "test": 1}, 0, seed=5, workers=1)
    splits = ToyVideos(str(tmp_path))
    splits.prepare()
    assert [len(splits.entries(split)) for split in ("train", "val", "test")] == [2, 1, 1]


def test_a_folder_without_labels_and_one_folder_per_class(tmp_path: Path) -> None:
    for number in range(10):
        path = tmp_path / ("bell", "rain")[number % 2] / f"{number}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"never opened")
    plain = FolderVideos(str(tmp_path), val_share=0.2)
    assert list(plain.classes) == []
    assert [len(plain.entries(split)) for split in ("train", "val")] == [8, 2]
    with pytest.raises(InputError, match="no video of the split test"):
        plain.entries("test")
    labelled = FolderVideos(str(tmp_path), "folders", val_share=0.2, test_share=0.3)
    assert list(labelled.classes) == ["bell", "rain"]
    keys = {split: {entry.key for entry in labelled.entries(split)} for split in ("train", "val", "test")}
    assert [len(keys[split]) for split in ("train", "val", "test")] == [6, 1, 3]
    assert set.union(*keys.values()) == {f"{('bell', 'rain')[number % 2]}-{number}" for number in range(10)}
    assert all(entry.label == entry.key.partition("-")[0] for entry in labelled.entries("train"))
