from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from sound2scene.data.batches import shares
from sound2scene.data.batches.footage import FootageDataset, FootageModule
from sound2scene.data.toy import world as toy
from sound2scene.data.video.find import find_videos
from sound2scene.moments import Footage, Moments, Refused


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("videos")
    toy.write_videos(folder, {"val": 2}, 0, 1, workers=1)
    (folder / "a.mp4").write_text("not a video")
    return find_videos(folder)


def whole(module: FootageModule) -> Iterator[Footage]:
    return iter(module.predict_dataloader())


@pytest.mark.parametrize("workers", [0, 1])
def test_every_video_comes_once_in_order_as_moments_or_with_the_reason(
    videos: dict[str, Path], workers: int
) -> None:
    refused, *found = whole(FootageModule(videos, 24, workers))
    assert refused.key == "a"
    assert isinstance(refused.found, Refused)
    assert refused.found.kind == "undecodable"
    assert "a.mp4" in refused.found.reason
    assert refused.duration_s == 0
    assert [one.key for one in found] == ["val/toy-val-000000", "val/toy-val-000001"]
    for one in found:
        assert isinstance(one, Footage)
        assert one.duration_s == pytest.approx(10, abs=0.1)
        assert isinstance(one.found, Moments)
        assert one.found.key == one.key
        steps = len(one.found.second_S)
        assert 100 <= steps <= 101
        assert one.found.frames_SCHW.shape == (steps, 3, 24, 24)
        assert one.found.frames_SCHW.dtype == torch.uint8
        assert one.found.waveform_T.dtype == torch.float32
        assert one.found.waveform_T.shape[0] >= 160_000


def test_frames_show_the_colours_of_the_video(videos: dict[str, Path]) -> None:
    moments = FootageDataset([("k", videos["val/toy-val-000000"])], 128)[0].found
    assert isinstance(moments, Moments)
    truth = toy.read_truth(videos["a"].parent, "val")[0]
    frames_THWC, _ = toy.render(truth)
    step = round(truth.moment_true_s * 10)
    shown_HWC = moments.frames_SCHW[step].permute(1, 2, 0).float()
    assert (shown_HWC - torch.from_numpy(frames_THWC[step]).float()).abs().mean() < 6


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_ranks_share_the_videos_without_doubles_or_losses(
    ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for rank in range(ranks):
        monkeypatch.setattr(shares, "world", lambda rank=rank: (rank, ranks))
        names = {f"{number:02d}": Path(f"{number}.mp4") for number in range(4)}
        dataset = FootageModule(names, 8, 0).predict_dataloader().dataset
        assert isinstance(dataset, FootageDataset)
        found.append([key for key, _ in dataset.videos])
    assert sorted(key for share in found for key in share) == ["00", "01", "02", "03"]
    assert max(map(len, found)) - min(map(len, found)) <= 1


def key_and_length(footage: Footage) -> tuple[str, float]:
    return footage.key, footage.duration_s


@pytest.mark.costly
@pytest.mark.parametrize("workers", [0, 1])
def test_what_is_made_of_a_video_is_made_where_it_is_decoded(videos: dict[str, Path], workers: int) -> None:
    plain = [key_and_length(one) for one in whole(FootageModule(videos, 24, workers))]
    made = FootageModule(videos, 24, workers, key_and_length)
    found = list(made.predict_dataloader())
    assert found == plain
    assert made.transfer_batch_to_device(found[0], torch.device("cpu"), 0) is found[0]
