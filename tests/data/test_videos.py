import json
from pathlib import Path

import pytest

from sound2scene.data.batches.moments import Entry
from sound2scene.data.splits import ToyVideos
from sound2scene.data.toy import world as toy
from sound2scene.data.videos import MomentsDataModule
from sound2scene.moments import MomentBatch, WholeVideo
from sound2scene.protocols import Documented, Telling
from sound2scene.types import DataFacts


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    toy.write_videos(folder, {"train": 6, "val": 4, "test": 2}, 0.5, 0, workers=1)
    return folder


class Listed:
    """Splits of as many entries as there are, none of them a file."""

    classes: tuple[str, ...] = ("bell", "drum")

    def __init__(self, count: int = 64) -> None:
        self.found = [Entry(str(number), f"{number}.mp4") for number in range(count)]

    def entries(self, split: str) -> list[Entry]:
        return self.found


class Prepared(Listed):
    """Counts how often it was told to prepare."""

    asked = 0

    def prepare(self) -> None:
        self.asked += 1


def entries(world: Path, split: str = "train") -> list[Entry]:
    return ToyVideos(str(world)).entries(split)


def test_what_is_known_of_a_toy_video_is_its_truth(world: Path) -> None:
    rows = [json.loads(line) for line in (world / "val" / "truth.jsonl").read_text().splitlines()]
    singles = [row for row in rows if row["label"]]
    for entry, row in zip(entries(world, "val"), singles, strict=True):
        source = row["sources"][0]
        assert entry.label == source["kind"]
        assert entry.known.interval_s == (source["start_s"], source["end_s"])
        assert entry.known.boxes == (tuple(source["box"]),)
        assert entry.known.box_s == pytest.approx((source["start_s"] + source["end_s"]) / 2)


def test_clips_of_two_sources_measure_nothing(world: Path) -> None:
    assert len(entries(world, "test")) == 2
    assert len((world / "test" / "truth.jsonl").read_text().splitlines()) == 3


def test_the_videos_measured_are_always_the_same_and_not_every_nth() -> None:
    data = MomentsDataModule(Listed(), workers=0, measured=16)
    measured = [int(entry.key) for entry in data.entries("val")]
    assert measured == [int(entry.key) for entry in MomentsDataModule(Listed(), measured=16).entries("val")]
    assert measured == sorted(set(measured))
    assert len(measured) == 16
    assert len({number % 4 for number in measured}) == 4  # classes that take turns are all there
    assert len(data.entries("test")) == 64


@pytest.mark.costly
def test_batches_have_the_shapes_that_the_recipe_asked_for(world: Path) -> None:
    data = MomentsDataModule(
        ToyVideos(str(world)), batch_size=3, moments=2, workers=0, side_px=48, window_s=0.25
    )
    batches: list[MomentBatch] = list(data.train_dataloader())
    assert [batch.frames_BMCHW.shape for batch in batches] == [(3, 2, 3, 48, 48)] * 2
    assert [batch.window_BMT.shape for batch in batches] == [(3, 2, 4_000)] * 2
    assert sorted(key for batch in batches for key in batch.key) == sorted(
        entry.key for entry in entries(world)
    )
    for split, loader in (("val", data.val_dataloader()), ("test", data.test_dataloader())):
        videos: list[WholeVideo] = list(loader)
        listed = entries(world, split)
        assert [(video.known, video.rejected) for video in videos] == [(entry.known, []) for entry in listed]
        moments = [video.moments for video in videos if video.moments is not None]
        assert [found.key for found in moments] == [entry.key for entry in listed]
        assert {tuple(found.frames_SCHW.shape) for found in moments} == {(100, 3, 48, 48)}


def test_facts_are_the_classes() -> None:
    data = MomentsDataModule(Listed(), workers=0)
    assert isinstance(data, Telling)
    assert data.facts() == DataFacts(("bell", "drum"))


def test_splits_that_can_be_written_are_told_to_and_others_are_left_alone() -> None:
    splits = Prepared()
    MomentsDataModule(splits, workers=0).prepare_data()
    assert splits.asked == 1
    MomentsDataModule(Listed(), workers=0).prepare_data()


def test_the_fingerprint_changes_with_a_file(world: Path) -> None:
    data = MomentsDataModule(ToyVideos(str(world)), workers=0)
    assert isinstance(data, Documented)
    before = data.fingerprints()
    assert before == data.fingerprints()
    assert data.coverage() == {}
    path = Path(entries(world)[0].path)
    content = path.read_bytes()
    try:
        path.write_bytes(content + b"x")
        after = data.fingerprints()
    finally:
        path.write_bytes(content)
    assert after["train"] != before["train"]
    assert after["val"] == before["val"]
