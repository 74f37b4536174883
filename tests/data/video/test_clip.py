import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import made_videos
from drawn_videos import GREY, sounding, write_video
from sound2scene.data.shards.read import ShardDataset
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.data.video import decode as video
from sound2scene.data.video import errors
from sound2scene.data.video.clip import make_video_clip
from sound2scene.types import CLIP_SAMPLES, SAMPLE_RATE_HZ, Clip, InputError, Rejected


def job(path: Path, moment_s: float | str = "middle", **more: Any) -> dict[str, Any]:
    return {
        "key": path.stem,
        "label": "bell",
        "video": str(path),
        "moment_s": moment_s,
        "side_px": 256,
    } | more


def made(path: Path, moment_s: float | str = "middle", **more: Any) -> Clip:
    clip = make_video_clip(job(path, moment_s, **more))
    assert isinstance(clip, Clip)
    return clip


def picture(clip: Clip) -> Image.Image:
    return Image.open(io.BytesIO(clip.jpeg))


def shown(clip: Clip) -> int:
    """The second whose grey the picture has."""
    return round(float(np.asarray(picture(clip)).mean()) / GREY)


def heard(clip: Clip, second: int) -> float:
    """Level in the middle of a second of the clip."""
    return float(clip.waveform_T[second * 16_000 + 8_000])


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("videos") / "long.mkv", 30.0)


def test_a_clip_has_the_frame_of_its_moment_and_the_first_ten_seconds(tmp_path: Path) -> None:
    path = write_video(tmp_path / "-dash.mkv", 10.0)
    clip = made(path, 7.3, metadata={"score": 0.5, "scorer": "tests"})
    assert (clip.key, clip.label, clip.moment_s) == ("-dash", "bell", 7.3)
    assert shown(clip) == 7
    assert [heard(clip, second) for second in range(10)] == pytest.approx(
        [sounding(s) for s in range(10)], abs=1e-4
    )
    assert clip.metadata == {
        "video": "-dash.mkv",
        "duration_s": pytest.approx(10.0),
        "sound_start_s": 0.0,
        "score": 0.5,
        "scorer": "tests",
    }


def test_a_shorter_sound_is_repeated(tmp_path: Path) -> None:
    clip = made(write_video(tmp_path / "v.mkv", 3.0), 2.0)
    assert clip.waveform_T.shape == (CLIP_SAMPLES,)
    assert [heard(clip, second) for second in range(7)] == pytest.approx(
        [sounding(s % 3) for s in range(7)], abs=1e-4
    )


@pytest.mark.parametrize(
    ("moment_s", "start"), [(0.0, 0), (9.9, 0), (10.0, 5), (17.0, 12), (25.0, 20), (29.9, 20)]
)
def test_of_a_longer_video_the_sound_is_around_the_moment_and_ends_with_it(
    moment_s: float, start: int, long: Path
) -> None:
    clip = made(long, moment_s)
    assert clip.metadata["sound_start_s"] == start
    assert [heard(clip, s) for s in range(10)] == pytest.approx(
        [sounding(start + s) for s in range(10)], abs=1e-4
    )
    assert shown(clip) == int(moment_s)


def test_a_video_of_ten_seconds_and_a_bit_is_not_longer(tmp_path: Path) -> None:
    clip = made(write_video(tmp_path / "v.mkv", 10.4), 10.2)
    assert (clip.metadata["sound_start_s"], heard(clip, 0)) == (0.0, pytest.approx(sounding(0), abs=1e-4))


def test_the_middle_and_a_random_moment_are_steps_of_the_video_itself(long: Path) -> None:
    assert made(long, "middle").moment_s == pytest.approx(15.0)
    moments = [made(long, "random", key=f"k{number}").moment_s for number in range(6)]
    assert moments == [made(long, "random", key=f"k{number}").moment_s for number in range(6)]
    assert len(set(moments)) == 6
    assert all(moment is not None and 0 <= moment < 30 and moment == round(moment, 1) for moment in moments)


def test_a_sound_that_ends_long_before_the_moment_is_silent_there(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", 12.0)
    with pytest.raises(InputError, match="silent from 20"):
        make_video_clip(job(path, 25.0, duration_s=30.0))


@pytest.mark.parametrize(("side_px", "size"), [(24, (32, 24)), (48, (64, 48)), (256, (64, 48))])
def test_the_short_side_is_brought_down_to_the_side_and_never_up(
    side_px: int, size: tuple[int, int], tmp_path: Path
) -> None:
    path = write_video(tmp_path / "v.mkv")
    assert picture(made(path, side_px=side_px)).size == size
    portrait = write_video(tmp_path / "portrait.mkv", size=(48, 64))
    assert picture(made(portrait, side_px=side_px)).size == size[::-1]


def test_ten_silent_seconds_of_a_video_that_sounds_elsewhere_are_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", 30.0, quiet_from_s=12.0)
    assert heard(made(path, 5.0), 5) > 0
    with pytest.raises(InputError, match=r"v\.mkv: is silent from 20\.0 s on") as caught:
        make_video_clip(job(path, 27.0))
    assert caught.value.kind == "silent"


def test_what_the_selection_has_rejected_is_not_decoded(tmp_path: Path) -> None:
    clip = make_video_clip(job(tmp_path / "none.mkv", rejected=("silent", "is silent")))
    assert clip == Rejected("none", "is silent", "silent")


def test_videos_that_cannot_be_used_are_counted_by_kind(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mkv", 3.0)
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(whole.read_bytes()[:200])
    paths = [
        whole,
        broken,
        write_video(tmp_path / "mute.mkv", sound=None),
        write_video(tmp_path / "silent.mkv", sound="silent"),
        write_video(tmp_path / "short.mkv", 1.0),
        tmp_path / "gone.mkv",
    ]
    write_dataset(
        tmp_path / "shards", {"train": [job(path) for path in paths]}, make_video_clip, Plan("v", workers=1)
    )
    shards = ShardDataset(tmp_path / "shards", "train")
    assert [shards.key(n) for n in range(len(shards))] == ["whole"]
    card = shards.folder.split("train")
    assert card["kinds"] == {"no_audio": 1, "silent": 1, "too_short": 1, "undecodable": 2}
    assert card["rejected"] == 5


@pytest.mark.costly
def test_half_a_file_is_truncated_though_what_is_left_decodes(tmp_path: Path) -> None:
    whole = made_videos.write_video(tmp_path / "whole.mp4", 12.0, index_first=True)
    half = tmp_path / "half.mp4"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert len(video.sound(half)) > 4 * SAMPLE_RATE_HZ
    with pytest.raises(
        errors.TruncatedError, match=r"half\.mp4: \d\.\d s of its (picture|sound) are missing"
    ):
        make_video_clip(job(half))
