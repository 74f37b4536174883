import json
from pathlib import Path

import pytest
import torch

from sound2scene.data.batches.moments import Entry, MomentReader
from sound2scene.data.batches.sampler import Draw
from sound2scene.data.splits import ToyVideos
from sound2scene.data.toy import world as toy
from sound2scene.data.videos import VideoDataModule
from sound2scene.moments import Drawn, Watched, windows
from sound2scene.types import InputError


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    toy.write_videos(folder, {"train": 6, "val": 4, "test": 2}, 1, 0, workers=1)
    return folder


def entries(world: Path, split: str = "train") -> list[Entry]:
    return ToyVideos(str(world)).entries(split)


def test_one_frame_is_drawn_from_each_equal_part_of_a_video(world: Path) -> None:
    whole = MomentReader(entries(world), toy.KINDS, 32, 0.5)[Draw(0, 0)].moments
    reader = MomentReader(entries(world), toy.KINDS, 32, 0.5, moments=4)
    for epoch in range(5):
        _, _, frames_MCHW, window_MT, _ = reader[Draw(epoch, 0)]
        mirrored = [whole.frames_SCHW, whole.frames_SCHW.flip(-1)]
        for part in range(4):
            steps = range(25 * part, 25 * (part + 1))
            all_windows = windows(whole.waveform_T, whole.second_S[steps.start : steps.stop], 0.5)
            same = [bool((sounds_T == window_MT[part]).all()) for sounds_T in all_windows]
            assert any(same), "the sound is one of this part's"
            step = steps.start + same.index(True)
            assert any(torch.equal(seen[step], frames_MCHW[part]) for seen in mirrored), (
                "and the frame is its own"
            )


def test_the_draw_depends_on_seed_epoch_and_video_alone(world: Path) -> None:
    one, other = (MomentReader(entries(world), toy.KINDS, 32, 0.5, 2, seed=3) for _ in range(2))
    torch.manual_seed(1)
    first = one[Draw(1, 2)]
    torch.manual_seed(2)
    second = other[Draw(1, 2)]
    assert torch.equal(first[2], second[2])
    assert torch.equal(first[3], second[3])
    assert not torch.equal(one[Draw(2, 2)][3], first[3])


def test_a_draw_that_rounds_up_to_the_end_takes_the_last_step(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = MomentReader(entries(world), toy.KINDS, 32, 0.5)[Draw(0, 0)].moments
    reader = MomentReader(entries(world), toy.KINDS, 32, 0.5, moments=4)
    almost_1 = torch.nextafter(torch.ones(()), torch.zeros(()))
    assert (3 + almost_1) / 4 == 1
    monkeypatch.setattr(torch, "rand", lambda *size, **_: almost_1.expand(size[0]))
    _, _, frames_MCHW, _, _ = reader[Draw(0, 0)]
    assert torch.equal(frames_MCHW[-1], whole.frames_SCHW[-1])


def test_a_video_that_cannot_be_read_is_named_and_the_next_one_stands_in(world: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    found = [Entry("broken", str(broken), "bell"), *entries(world)]
    reader = MomentReader(found, toy.KINDS, 32, 0.5, moments=2)
    batch = reader.collate([reader[Draw(0, 0)], reader[Draw(0, 2)]])
    assert isinstance(batch, Drawn)
    assert batch.rejected == [("broken", "undecodable")]
    assert batch.key == [found[1].key, found[2].key]
    assert batch.frames_BMCHW.shape == (2, 2, 3, 32, 32)
    assert batch.window_BMT.shape == (2, 2, 8_000)
    whole = MomentReader(found, toy.KINDS, 32, 0.5)
    watched = whole.collate([whole[Draw(0, 0)]])
    assert isinstance(watched, Watched)
    assert watched.moments is None
    assert watched.rejected == [("broken", "undecodable")]


def test_a_folder_of_nothing_but_broken_videos_is_one_line(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_bytes(b"")
    found = [Entry(name, str(tmp_path / f"{name}.mp4")) for name in "abc"]
    with pytest.raises(InputError, match="neither this video nor the 2 after it can be read"):
        MomentReader(found, [], 32, 0.5, moments=2)[Draw(0, 1)]


def test_what_is_known_of_a_toy_video_is_its_truth(world: Path) -> None:
    rows = [json.loads(line) for line in (world / "val" / "truth.jsonl").read_text().splitlines()]
    for entry, row in zip(entries(world, "val"), rows, strict=True):
        source = row["sources"][0]
        assert entry.label == source["kind"]
        assert entry.known.interval_s == (source["start_s"], source["end_s"])
        assert entry.known.boxes == (tuple(source["box"]),)
        assert entry.known.box_s == pytest.approx((source["start_s"] + source["end_s"]) / 2)


def test_clips_of_two_sources_measure_nothing(world: Path) -> None:
    assert len(entries(world, "test")) == 2
    assert len((world / "test" / "truth.jsonl").read_text().splitlines()) == 3


def test_the_videos_measured_are_always_the_same_and_not_every_nth(tmp_path: Path) -> None:
    found = [Entry(str(number), f"{number}.mp4") for number in range(64)]

    class Listed:
        classes: tuple[str, ...] = ()

        def entries(self, split: str) -> list[Entry]:
            return found

    data = VideoDataModule(Listed(), workers=0, measured=16)
    measured = [int(entry.key) for entry in data.entries("val")]
    assert measured == [int(entry.key) for entry in VideoDataModule(Listed(), measured=16).entries("val")]
    assert measured == sorted(set(measured))
    assert len(measured) == 16
    assert len({number % 4 for number in measured}) == 4  # classes that take turns are all there
    assert len(data.entries("test")) == 64


def test_batches_have_the_shapes_that_a_stage_asked_for(world: Path) -> None:
    data = VideoDataModule(ToyVideos(str(world)), batch_size=3, moments=2, workers=0)
    data.use_frames(48, 0.25)
    batches = list(data.train_dataloader())
    assert [batch.frames_BMCHW.shape for batch in batches] == [(3, 2, 3, 48, 48)] * 2
    assert sorted(key for batch in batches for key in batch.key) == sorted(
        entry.key for entry in entries(world)
    )
    seen = [watched.moments for watched in data.val_dataloader()]
    assert [moments.frames_SCHW.shape for moments in seen] == [(100, 3, 48, 48)] * 4


def test_the_fingerprint_changes_with_a_file(world: Path, tmp_path: Path) -> None:
    data = VideoDataModule(ToyVideos(str(world)), workers=0)
    before = data.fingerprints()
    assert before == data.fingerprints()
    path = Path(entries(world)[0].path)
    content = path.read_bytes()
    try:
        path.write_bytes(content + b"x")
        after = data.fingerprints()
    finally:
        path.write_bytes(content)
    assert after["train"] != before["train"]
    assert after["val"] == before["val"]
