"""Files that public bug reports describe: what is right is the same by every way into the package."""

import os
import re
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from clips import clip, level
from sound2scene.data.video import decode as video
from sound2scene.data.video import errors
from sound2scene.data.video.clip import make_video_clip
from sound2scene.data.video.cut import cut
from sound2scene.types import Clip

TENTHS = [number / 10 for number in range(40)]
FRAME_S = 0.04


def prepared(path: Path) -> Clip:
    found = make_video_clip({"key": "k", "label": None, "video": str(path), "side_px": 120, "moment_s": 1.0})
    assert isinstance(found, Clip)
    return found


def ways(folder: Path) -> dict[str, Callable[[Path], object]]:
    """What `select`, `prepare` and `download` do with a file."""
    return {
        "select": lambda path: video.decode(path, 32),
        "prepare": prepared,
        "cut": lambda path: cut([path], 0.0, folder / "cut.mp4", 120),
    }


def kinds(path: Path, folder: Path) -> dict[str, str]:
    found = {}
    for way, use in ways(folder).items():
        try:
            use(path)
        except errors.VideoError as error:
            found[way] = (
                error.kind if re.fullmatch(rf"{re.escape(str(path))}: .+; .+", str(error)) else str(error)
            )
        else:
            found[way] = "taken"
    return found


def hostile(real_data: Path, name: str) -> Path:
    path = real_data / "hostile" / "video" / name
    if not path.is_file():
        pytest.skip(f"no {path}")
    return path


def grey(image_HWC: NDArray[np.uint8]) -> float:
    height, width, _ = image_HWC.shape
    return float(image_HWC[height // 2 - 4 : height // 2 + 4, width // 2 - 4 : width // 2 + 4].mean())


def squares(image_HWC: NDArray[np.uint8]) -> str:
    """The corners from top left to bottom right: r, g, b, or - for grey."""
    height, width, _ = image_HWC.shape
    y, x = height // 8, width // 8
    corners = [image_HWC[row, column].astype(int) for row in (y, -y) for column in (x, -x)]
    return "".join("-" if np.ptp(c) < 60 else "rgb"[int(c.argmax())] for c in corners)


def tone_s(waveform_T: NDArray[np.float32]) -> tuple[float, float]:
    loud_T = np.flatnonzero(np.abs(waveform_T) > 0.1)
    return loud_T[0] / 16_000, loud_T[-1] / 16_000


HOSTILE = {
    "hflip.mp4": ("gr-b", 0.0),
    "rot90.mp4": ("br-g", 0.0),
    "rot180.mp4": ("-bgr", 0.0),
    "ts0.ts": ("rgb-", 0.0),
    "late_audio.mp4": ("rgb-", 0.0),
    "late_video.mp4": ("rgb-", 1.0),
    "neg.mkv": ("rgb-", 0.0),
    "vfr.mp4": ("rgb-", 0.0),
    "fps1.mp4": ("rgb-", 0.0),
    "frag.mp4": ("rgb-", 0.0),
    "10bit.mp4": ("rgb-", 0.0),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_videos_show_and_sound_at_their_seconds_in_every_way(
    real_data: Path, tmp_path: Path, name: str
) -> None:
    path, (corners, late_s) = hostile(real_data, name), HOSTILE[name]
    cut([path], 0.0, tmp_path / "cut.mp4", 120)
    # Frames of `fps1` and `vfr` stay: what is seen then is older than the second.
    stays_s = {"fps1.mp4": 1.0, "vfr.mp4": 1.3}.get(name, 0.0)
    for source in (path, tmp_path / "cut.mp4"):
        decoded = video.decode(source, 64)
        assert tone_s(decoded.waveform_T) == pytest.approx((2.0, 2.5), abs=FRAME_S)
        for second in (0.0, 1.0, 1.5, 2.9, 3.8):
            image_HWC = video.frame_at(source, second)
            assert squares(image_HWC) == corners
            assert squares(decoded.frames_SHWC[round(second * 10)]) == corners
            assert abs(grey(image_HWC) - grey(decoded.frames_SHWC[round(second * 10)])) < 3
            since_s = (grey(image_HWC) + 1.5 - 20) / 20  # the codec takes 1 or 2 levels off
            assert -FRAME_S - stays_s - 0.1 < since_s - max(0.0, second - late_s) < FRAME_S + 0.1
    assert tone_s(prepared(path).waveform_T)[0] == pytest.approx(2.0, abs=FRAME_S)


@pytest.mark.parametrize(("name", "kind"), [("still.mp4", "too_short"), ("silent.mp4", "silent")])
def test_hostile_videos_of_no_use_are_named_alike(
    real_data: Path, tmp_path: Path, name: str, kind: str
) -> None:
    path = hostile(real_data, name)
    assert kinds(path, tmp_path) == {"select": kind, "prepare": kind, "cut": kind}


def scaled(path: Path, factor: float) -> Path:
    """A video whose sound is of float samples, 0.3 times a factor high."""
    with av.open(str(path), "w", format="matroska") as target:
        shown = target.add_stream("libx264", rate=10)
        shown.width, shown.height, shown.pix_fmt = 64, 64, "yuv420p"
        tones = target.add_stream("pcm_f32le", rate=16_000, layout="mono")
        for number in range(40):
            wave_T = 0.3 * factor * np.sin(2 * np.pi * 400 * np.arange(1600) / 16_000)
            sound = av.AudioFrame.from_ndarray(wave_T.astype(np.float32)[None], format="flt", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = 16_000, number * 1600, Fraction(1, 16_000)
            picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number, np.uint8), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 10)
            target.mux([*shown.encode(picture), *tones.encode(sound)])
        target.mux([*shown.encode(None), *tones.encode(None)])
    return path


@pytest.mark.costly
def test_every_way_refuses_the_same_files_by_the_same_kind(tmp_path: Path) -> None:
    made = {
        "still.mp4": (clip(tmp_path / "still.mp4", [0.0], sound_s=(0.0, 4.0)), "too_short"),
        "brief.mkv": (clip(tmp_path / "brief.mkv", TENTHS, sound_s=(0.0, 1.0)), "too_short"),
        "quiet.mp4": (clip(tmp_path / "quiet.mp4", TENTHS, loudness=0.0), "silent"),
        "deaf.mp4": (clip(tmp_path / "deaf.mp4", TENTHS, sound=None), "no_audio"),
        "loud.mkv": (scaled(tmp_path / "loud.mkv", 32_768.0), "scale"),
        "nan.mkv": (scaled(tmp_path / "nan.mkv", float("nan")), "undecodable"),
        "plain.mkv": (scaled(tmp_path / "plain.mkv", 1.0), "taken"),
        "stream.ts": (clip(tmp_path / "stream.ts", TENTHS), "taken"),
    }
    with av.open(str(tmp_path / "blind.m4a"), "w", format="mp4") as container:
        tones = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.ones((1, 64_000), np.float32) / 2, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 0
        container.mux([*tones.encode(frame), *tones.encode(None)])
    made["blind.m4a"] = (tmp_path / "blind.m4a", "no_video")
    (tmp_path / "text.mp4").write_bytes(b"no video\n" * 300)
    made["text.mp4"] = (tmp_path / "text.mp4", "undecodable")
    os.mkfifo(tmp_path / "pipe.mp4")
    made["pipe.mp4"] = (tmp_path / "pipe.mp4", "undecodable")
    found = {name: kinds(path, tmp_path) for name, (path, _) in made.items()}
    assert found == {name: dict.fromkeys(ways(tmp_path), kind) for name, (_, kind) in made.items()}


def test_a_named_pipe_is_no_video_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    for use in (video.sound, lambda path: video.frame_at(path, 1.0), *ways(tmp_path).values()):
        with pytest.raises(errors.UndecodableError, match=r"pipe\.mp4: cannot be decoded \(is a named pipe"):
            use(tmp_path / "pipe.mp4")


@pytest.mark.costly
@pytest.mark.parametrize("group", [5, 12, 1000])
@pytest.mark.parametrize("name", ["v.ts", "v.mp4"])
def test_a_transport_stream_shows_the_frame_of_every_second_by_every_way(
    tmp_path: Path, name: str, group: int
) -> None:
    stream = clip(tmp_path / "v.ts", TENTHS, options={"g": str(group), "bf": "2", "sc_threshold": "0"})
    path = stream.rename(tmp_path / name)
    decoded = video.decode(path, 16)
    shown = [level(image_HWC) for image_HWC in decoded.frames_SHWC]
    lag = shown.index(1) - 1  # its sound may begin before the pictures
    assert lag <= 2
    assert shown[lag : lag + 30] == list(range(30))
    for step in range(0, 40, 3):
        assert level(video.frame_at(path, step / 10)) == shown[step]
    for start_s in (0.0, 1.3):
        cut([path], start_s, tmp_path / "cut.mp4", 64)
        image_HWC = video.frame_at(tmp_path / "cut.mp4", 0.5)
        assert level(image_HWC) == shown[round(10 * start_s) + 5]


@pytest.mark.costly
def test_fragments_whose_first_sound_lies_apart_begin_where_the_rest_does(tmp_path: Path) -> None:
    muxer = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "use_editlist": "0"}
    path = clip(tmp_path / "v.mp4", TENTHS, sound_s=(0.0, 4.0), muxer=muxer, options={"bf": "2"})
    cut([path], 0.0, tmp_path / "cut.mp4", 64)
    starts_s = []
    for source in (path, tmp_path / "cut.mp4"):
        decoded = video.decode(source, 16)
        assert [level(video.frame_at(source, step / 10 + 0.05)) for step in range(0, 30, 7)] == [
            0,
            7,
            14,
            21,
            28,
        ]
        starts_s.append(tone_s(decoded.waveform_T)[0])
    assert starts_s == pytest.approx([0.0, 0.0], abs=FRAME_S)


def test_one_late_timestamp_takes_no_memory_but_that_of_distinct_frames(tmp_path: Path) -> None:
    path = clip(tmp_path / "late.mkv", [*TENTHS, 3500.0], sound_s=(0.0, 4.0))
    tracemalloc.start()
    decoded = video.decode(path, 224)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(decoded.shown_S) == 35_001
    assert len(decoded.frames_UHWC) <= 41
    assert peak < 40_000_000


@pytest.mark.costly
def test_what_takes_more_memory_than_is_allowed_is_refused_before_it_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clip(tmp_path / "v.mkv", TENTHS)
    monkeypatch.setattr(video, "LARGEST_BYTES", 3_000_000)
    video.decode(path, 64)
    with pytest.raises(
        errors.TooLargeError, match=r"v\.mkv: takes more than 3 MiB of memory by second 1; cut"
    ):
        video.decode(path, 256)
    late = clip(tmp_path / "late.mkv", TENTHS, sound_s=(3000.0, 3003.0))
    for use in (lambda: video.decode(late, 16), lambda: video.sound(late)):
        with pytest.raises(errors.TooLargeError, match=r"late\.mkv: takes more than 3 MiB"):
            use()
