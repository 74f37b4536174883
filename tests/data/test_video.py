from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sound2scene.data import video
from sound2scene.types import InputError


def write(
    path: Path, *, seconds: list[float] | None = None, sound_T: np.ndarray | None = None, rate_hz: int = 16_000
) -> Path:
    """A video whose frame i is grey level 8 * i and starts at seconds[i]; a sound in the left of two channels."""
    with av.open(str(path.absolute()), "w", format="matroska") as container:
        if seconds:
            # One key frame, then B frames: the hardest case for a seek.
            stream = container.add_stream("libx264", rate=10, options={"crf": "1", "g": "12", "bf": "2"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.codec_context.time_base = Fraction(1, 1000)
        if sound_T is not None:
            tones = container.add_stream("pcm_s16le", rate=rate_hz, layout="stereo")
        for index, second in enumerate(seconds or []):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 8 * index, dtype=np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(second * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        if seconds:
            container.mux(stream.encode(None))
        if sound_T is not None:
            stereo = np.stack([sound_T, np.zeros_like(sound_T)], axis=1).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray((stereo * 32767).astype(np.int16), format="s16", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
            container.mux(tones.encode(frame))
            container.mux(tones.encode(None))
    return path


def shown(path: Path, second: float) -> int:
    return round(float(video.frame_at(path, second).mean()) / 8)


def test_the_frame_is_the_one_on_screen_at_every_moment_of_a_video_with_b_frames(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mkv", seconds=[i / 10 for i in range(30)])
    for index in range(30):
        assert shown(path, index / 10) == index
        assert shown(path, index / 10 + 0.06) == index


def test_the_frame_holds_until_the_next_one_of_a_variable_rate_video(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mkv", seconds=[0.0, 0.1, 1.5, 1.6, 4.0, 4.1])
    assert [shown(path, s) for s in (0.05, 0.1, 1.49, 1.5, 3.99, 4.0, 4.1)] == [0, 1, 1, 2, 3, 4, 5]


def test_seconds_count_from_the_start_of_the_presentation(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mkv", seconds=[7 + i / 10 for i in range(20)])
    assert [shown(path, s) for s in (0.0, 0.55, 1.9)] == [0, 5, 19]


def test_only_the_frames_after_a_key_frame_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "v.mkv", seconds=[i / 10 for i in range(30)])
    decoded: list[float] = []
    decode = av.container.InputContainer.decode

    class Counting:
        def __init__(self, container: av.container.InputContainer) -> None:
            self._container = container

        def __getattr__(self, name: str) -> object:
            return getattr(self._container, name)

        def decode(self, stream: av.VideoStream) -> object:
            for frame in decode(self._container, stream):
                decoded.append(frame.time)
                yield frame

    original = video._frame
    monkeypatch.setattr(video, "_frame", lambda container, *rest: original(Counting(container), *rest))
    assert shown(path, 2.8) == 28
    assert min(decoded) == pytest.approx(2.4)  # key frames are at 0.0, 1.2 and 2.4 s


def test_stereo_at_44100_hz_becomes_mono_at_16000_hz_of_the_same_length_and_pitch(tmp_path: Path) -> None:
    t_s = np.arange(2 * 44_100) / 44_100
    path = write(tmp_path / "s.mkv", sound_T=0.5 * np.sin(2 * np.pi * 440 * t_s), rate_hz=44_100)
    waveform_T = video.sound(path)
    assert waveform_T.dtype == np.float32
    assert abs(len(waveform_T) - 32_000) <= 16
    expected_T = 0.25 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)  # half of the left channel
    assert np.abs(waveform_T[200:31_800] - expected_T[200:31_800]).max() < 0.01


@pytest.mark.parametrize("content", [b"", b"not a video at all" * 100, None], ids=["empty", "text", "missing"])
def test_a_file_that_is_no_video_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "-odd: name.mp4"
    if content is not None:
        path.write_bytes(content)
    for decode in (video.sound, lambda path: video.frame_at(path, 1.0)):
        with pytest.raises(InputError, match=r"-odd: name\.mp4: cannot be decoded \(.+\)") as caught:
            decode(path)
        assert "\n" not in str(caught.value)


def test_a_name_that_ffmpeg_could_take_for_a_protocol_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "-http:x.mkv", seconds=[0.0, 0.1])
    monkeypatch.chdir(tmp_path)
    assert shown(Path("-http:x.mkv"), 0.1) == 1


def test_a_missing_track_or_moment_is_named(tmp_path: Path) -> None:
    silent = write(tmp_path / "silent.mkv", seconds=[i / 10 for i in range(5)])
    blind = write(tmp_path / "blind.mkv", sound_T=np.zeros(1600))
    with pytest.raises(InputError, match=r"silent\.mkv: has no sound"):
        video.sound(silent)
    with pytest.raises(InputError, match=r"blind\.mkv: has no picture"):
        video.frame_at(blind, 0.0)
    with pytest.raises(InputError, match=r"silent\.mkv: has no frame at 3\.000 s"):
        video.frame_at(silent, 3.0)


def test_the_last_frame_stays_until_the_sound_ends(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mkv", seconds=[0.0, 0.1], sound_T=np.zeros(16_000))
    assert shown(path, 0.9) == 1
    with pytest.raises(InputError, match="has no frame at"):
        video.frame_at(path, 1.2)


def test_a_real_video_gives_the_frames_of_a_full_decode(real_data: Path) -> None:
    paths = sorted((real_data / "videos").rglob("*.mp4"))[:2]
    assert paths
    for path in paths:
        with av.open(str(path)) as container:
            start_s = container.start_time / av.time_base
            frames = [
                (f.time - start_s, f.to_ndarray(format="rgb24")) for f in container.decode(container.streams.video[0])
            ]
        for second in (0.37, 2.2, 4.0):
            expected_HWC = [image_HWC for time_s, image_HWC in frames if time_s <= second][-1]
            assert np.array_equal(video.frame_at(path, second), expected_HWC)
