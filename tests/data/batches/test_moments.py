from pathlib import Path

import pytest
import torch

from sound2scene.data.batches.moments import Entry, Look, MomentReader, VideoReader, read_moments
from sound2scene.data.batches.sampler import Draw
from sound2scene.data.toy import world as toy
from sound2scene.data.video.errors import VideoError
from sound2scene.moments import Known, MomentBatch, Moments, WholeVideo, windows
from sound2scene.types import InputError

LOOK = Look(side_px=32, window_s=0.5)


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    """Three videos, with what is known of them."""
    folder = tmp_path_factory.mktemp("toy")
    toy.write_videos(folder, {"train": 3}, 0, 0, workers=1)
    return [
        Entry(truth.key, str(folder / "train" / f"{truth.key}.mp4"), truth.label, Known((1.0, 2.0)))
        for truth in toy.read_truth(folder, "train")
        if truth.label is not None
    ]


@pytest.fixture(scope="module")
def whole(entries: list[Entry]) -> Moments:
    """The first of them."""
    return read_moments(entries[0].key, entries[0].path, LOOK.side_px)


def reader(entries: list[Entry], moments: int = 4, seed: int = 0) -> MomentReader:
    return MomentReader(entries, toy.KINDS, LOOK, moments, seed)


def test_a_video_is_its_frames_at_ten_a_second_squeezed_to_a_square_and_its_sound(whole: Moments) -> None:
    assert whole.frames_SCHW.shape == (100, 3, 32, 32)
    assert whole.frames_SCHW.dtype == torch.uint8
    assert torch.allclose(whole.second_S, torch.arange(100, dtype=torch.float64) / 10)
    assert len(whole.waveform_T) >= 160_000
    assert whole.waveform_T.dtype == torch.float32


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(VideoError, match=r"a\.mp4"):
        read_moments("a", tmp_path / "a.mp4", 32)


def test_one_frame_is_drawn_from_each_equal_part_of_a_video(entries: list[Entry], whole: Moments) -> None:
    mirrored = [whole.frames_SCHW, whole.frames_SCHW.flip(-1)]
    for epoch in range(5):
        drawn = reader(entries)[Draw(epoch, 0)]
        for part in range(4):
            steps = range(25 * part, 25 * (part + 1))
            all_windows = windows(whole.waveform_T, whole.second_S[steps.start : steps.stop], 0.5)
            same = [bool((sounds_T == drawn.window_MT[part]).all()) for sounds_T in all_windows]
            assert any(same), "the sound is one of this part's"
            step = steps.start + same.index(True)
            assert any(torch.equal(seen[step], drawn.frames_MCHW[part]) for seen in mirrored), (
                "and the frame is its own"
            )


def test_the_draw_depends_on_seed_epoch_and_video_alone(entries: list[Entry]) -> None:
    torch.manual_seed(1)
    first = reader(entries, 2, seed=3)[Draw(1, 2)]
    torch.manual_seed(2)
    second = reader(entries, 2, seed=3)[Draw(1, 2)]
    assert torch.equal(first.frames_MCHW, second.frames_MCHW)
    assert torch.equal(first.window_MT, second.window_MT)
    assert not torch.equal(reader(entries, 2, seed=3)[Draw(2, 2)].window_MT, first.window_MT)
    assert not torch.equal(reader(entries, 2, seed=4)[Draw(1, 2)].window_MT, first.window_MT)


def test_a_draw_that_rounds_up_to_the_end_takes_the_last_step(
    entries: list[Entry], whole: Moments, monkeypatch: pytest.MonkeyPatch
) -> None:
    almost_1 = torch.nextafter(torch.ones(()), torch.zeros(()))
    assert (3 + almost_1) / 4 == 1
    monkeypatch.setattr(torch, "rand", lambda *size, **_: almost_1.expand(size[0]))
    assert torch.equal(reader(entries)[Draw(0, 0)].frames_MCHW[-1], whole.frames_SCHW[-1])


def test_a_batch_holds_moments_windows_and_classes(entries: list[Entry]) -> None:
    found = [*entries[:2], Entry("unlabelled", entries[2].path), Entry("unknown", entries[2].path, "choir")]
    batch = reader(found, 2).collate([reader(found, 2)[Draw(0, position)] for position in range(4)])
    assert isinstance(batch, MomentBatch)
    assert batch.key == [entry.key for entry in found]
    assert batch.label_B.tolist() == [*(toy.KINDS.index(str(one.label)) for one in entries[:2]), -1, -1]
    assert batch.frames_BMCHW.shape == (4, 2, 3, 32, 32)
    assert batch.window_BMT.shape == (4, 2, 8_000)
    assert batch.rejected == []


def test_a_video_that_cannot_be_read_is_named_and_the_next_one_stands_in(
    entries: list[Entry], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    found = [*entries[:2], Entry("broken", str(broken), "bell", Known((1.0, 2.0)))]
    batch = reader(found, 2).collate([reader(found, 2)[Draw(0, position)] for position in (2, 1)])
    assert batch.rejected == [("broken", "undecodable")]
    assert batch.key == [found[0].key, found[1].key]
    kept = reader(found, 2)[Draw(0, 0)]
    assert not torch.equal(batch.window_BMT[0], kept.window_MT)  # the draw is still that of the broken one
    whole = VideoReader(found, toy.KINDS, LOOK)
    video = whole.collate([whole[Draw(0, 2)]])
    assert video == WholeVideo(None, Known((1.0, 2.0)), toy.KINDS.index("bell"), [("broken", "undecodable")])


def test_a_folder_of_nothing_but_broken_videos_is_one_line(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_bytes(b"")
    found = [Entry(name, str(tmp_path / f"{name}.mp4")) for name in "abc"]
    with pytest.raises(InputError, match=r"b\.mp4: neither this video nor the 2 after it can be read"):
        MomentReader(found, [], LOOK, 2)[Draw(0, 1)]


def test_a_whole_video_comes_with_what_is_known_of_it(entries: list[Entry], whole: Moments) -> None:
    videos = VideoReader(entries, toy.KINDS, LOOK)
    assert len(videos) == 3
    video = videos[Draw(7, 0)]
    assert video.moments is not None
    assert video.moments.key == entries[0].key
    assert torch.equal(video.moments.frames_SCHW, whole.frames_SCHW)
    assert torch.equal(video.moments.waveform_T, whole.waveform_T)
    assert video[1:] == (entries[0].known, toy.KINDS.index(str(entries[0].label)), [])
