from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from clips import clip, level
from sound2scene.data.video import decode as video
from sound2scene.data.video import errors
from sound2scene.data.video.tracks import Track
from sound2scene.types import InputError

TENTHS = [i / 10 for i in range(30)]


def write(
    path: Path,
    *,
    seconds: list[float] | None = None,
    sound_T: NDArray[np.float32] | None = None,
    rate_hz: int = 16_000,
) -> Path:
    """A video whose frame i is grey level 8 * i and starts at seconds[i]; a sound in the left channel."""
    with av.open(str(path.absolute()), "w", format="matroska") as container:
        if seconds:
            # One key frame, then B frames: the hardest case for a seek.
            stream = container.add_stream("libx264", rate=10, options={"crf": "1", "g": "12", "bf": "2"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.codec_context.time_base = Fraction(1, 1000)
        if sound_T is not None:
            tones = container.add_stream("pcm_s16le", rate=rate_hz, layout="stereo")
        for index, second in enumerate(seconds or []):
            frame = av.VideoFrame.from_ndarray(
                np.full((48, 64, 3), 8 * index, dtype=np.uint8), format="rgb24"
            )
            frame.pts, frame.time_base = round(second * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        if seconds:
            container.mux(stream.encode(None))
        if sound_T is not None:
            stereo = np.stack([sound_T, np.zeros_like(sound_T)], axis=1).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(
                (stereo * 32767).astype(np.int16), format="s16", layout="stereo"
            )
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


def test_only_the_frames_after_a_key_frame_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "v.mkv", seconds=[i / 10 for i in range(30)])
    decoded: list[float] = []
    came = Track.came
    monkeypatch.setattr(Track, "came", lambda track, frame: decoded.append(frame.time) or came(track, frame))
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


@pytest.mark.parametrize(
    "content", [b"", b"not a video at all" * 100, None], ids=["empty", "text", "missing"]
)
def test_a_file_that_is_no_video_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "-odd: name.mp4"
    if content is not None:
        path.write_bytes(content)
    for decode in (video.sound, lambda path: video.frame_at(path, 1.0), lambda path: video.decode(path, 8)):
        with pytest.raises(
            errors.UndecodableError, match=r"-odd: name\.mp4: cannot be decoded \(.+\)"
        ) as caught:
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
    with pytest.raises(errors.NoAudioError, match=r"silent\.mkv: has no sound"):
        video.sound(silent)
    with pytest.raises(errors.NoVideoError, match=r"blind\.mkv: has no picture"):
        video.frame_at(blind, 0.0)
    with pytest.raises(errors.TooShortError, match=r"silent\.mkv: has no frame at 3\.000 s"):
        video.frame_at(silent, 3.0)


def test_the_last_frame_stays_until_the_sound_ends(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mkv", seconds=[0.0, 0.1], sound_T=np.zeros(16_000))
    assert shown(path, 0.9) == 1
    with pytest.raises(InputError, match="has no frame at"):
        video.frame_at(path, 1.2)


@pytest.mark.costly
def test_a_real_video_gives_the_frames_of_a_full_decode(real_data: Path) -> None:
    paths = sorted((real_data / "videos").rglob("*.mp4"))[:2]
    assert paths
    for path in paths:
        with av.open(str(path)) as container:
            start_s = container.start_time / av.time_base
            frames = [
                (f.time - start_s, f.to_ndarray(format="rgb24"))
                for f in container.decode(container.streams.video[0])
            ]
        for second in (0.37, 2.2, 4.0):
            expected_HWC = [image_HWC for time_s, image_HWC in frames if time_s <= second][-1]
            assert np.array_equal(video.frame_at(path, second), expected_HWC)


def levels(decoded: video.Decoded) -> list[int]:
    return [level(image_HWC) for image_HWC in decoded.frames_SHWC]


@pytest.mark.parametrize(
    ("suffix", "codec", "sound"),
    [
        (".mp4", "libx264", "aac"),
        (".mp4", "libx265", "libmp3lame"),
        (".mp4", "mpeg4", "aac"),
        (".mp4", "libsvtav1", "aac"),
        (".webm", "libvpx", "vorbis"),
        (".webm", "libvpx-vp9", "libopus"),
        (".webm", "libsvtav1", "libopus"),
        (".mkv", "libx264", "libopus"),
        (".mkv", "libx265", "vorbis"),
        (".avi", "mpeg4", "libmp3lame"),
        (".avi", "libx264", "libmp3lame"),
    ],
)
def test_containers_and_codecs_give_each_frame_at_its_step_and_the_tone(
    tmp_path: Path, suffix: str, codec: str, sound: str
) -> None:
    # AVI has no times of presentation: FFmpeg guesses them where there are B frames, and its muxer starts
    # with gaps.
    options = {"libx264": {"bf": "0" if suffix == ".avi" else "2"}, "mpeg4": {"bf": "0"}}.get(codec, {})
    path = clip(tmp_path / f"v{suffix}", TENTHS, codec=codec, sound=sound, options=options)
    decoded = video.decode(path, 16)
    shift = {".avi mpeg4": 1, ".avi libx264": 2}.get(f"{suffix} {codec}", 0)
    assert levels(decoded) == [0] * shift + list(range(30))
    assert decoded.frames_SHWC.shape == (30 + shift, 16, 16, 3)
    assert np.array_equal(decoded.second_S, np.arange(30 + shift) / 10)
    assert decoded.duration_s == pytest.approx(3.0 + shift / 10, abs=0.06)
    assert decoded.waveform_T.dtype == np.float32
    assert len(decoded.waveform_T) == pytest.approx(48_000, abs=1_600)
    spectrum = np.abs(np.fft.rfft(decoded.waveform_T[8_000:40_000]))
    assert spectrum.argmax() == 880  # 440 Hz over 2 s
    assert np.abs(decoded.waveform_T).max() == pytest.approx(0.3, abs=0.03)
    assert [shown(path, s + shift / 10) for s in (0.0, 1.25, 2.9)] == [0, 12, 29]


def test_frames_of_slow_and_variable_rates_are_repeated_until_the_next_one(tmp_path: Path) -> None:
    slow = video.decode(clip(tmp_path / "slow.mp4", [i / 4 for i in range(12)], rate_hz=4), 16)
    assert levels(slow) == [int(i / 10 * 4) for i in range(30)]
    seconds = [0.0, 0.04, 0.08, 0.55, 0.9, 2.31, 2.33]
    varying = video.decode(clip(tmp_path / "varying.mkv", seconds, sound_s=(0.0, 2.55), rate_hz=25), 16)
    expected = [max(i for i, s in enumerate(seconds) if s <= step / 10 + 1e-6) for step in range(26)]
    assert levels(varying) == expected  # the last frame stays while the sound goes on


def test_a_fast_video_with_b_frames_gives_the_frame_of_a_full_decode_at_every_step(tmp_path: Path) -> None:
    for codec in ("libx264", "libx265"):
        options = {"bf": "3", "g": "40", "x264-params": "b-pyramid=none"}
        path = clip(
            tmp_path / f"{codec}.mkv", [i / 30 for i in range(90)], codec=codec, rate_hz=30, options=options
        )
        with av.open(str(path)) as container:
            stamped = [(f.time, level(f.to_ndarray(format="rgb24"))) for f in container.decode(video=0)]
        assert len(stamped) == 90
        decoded = video.decode(path, 16)
        assert levels(decoded) == [[g for s, g in stamped if s <= t + 1e-4][-1] for t in decoded.second_S]


def test_second_0_is_the_start_of_the_presentation_and_late_sound_comes_late(tmp_path: Path) -> None:
    path = clip(tmp_path / "v.mkv", [5 + s for s in TENTHS], sound_s=(6.0, 9.0), sound="libmp3lame")
    decoded = video.decode(path, 16)
    assert levels(decoded)[:30] == list(range(30))
    assert len(decoded.frames_SHWC) == 40
    assert decoded.duration_s == pytest.approx(4.0, abs=0.06)
    assert np.abs(decoded.waveform_T[:15_000]).max() < 0.01
    assert np.abs(decoded.waveform_T[17_000:20_000]).max() > 0.25
    early = video.decode(clip(tmp_path / "w.mkv", [1 + s for s in TENTHS], sound_s=(0.0, 4.0)), 16)
    assert levels(early) == [0] * 10 + list(range(30))


def test_what_is_missing_has_its_own_error(tmp_path: Path) -> None:
    short = clip(tmp_path / "short.mp4", TENTHS[:10])
    brief = clip(tmp_path / "brief.mkv", TENTHS, sound_s=(0.0, 1.0))
    quiet = clip(tmp_path / "quiet.mp4", TENTHS, loudness=0.0)
    deaf = clip(tmp_path / "deaf.mp4", TENTHS, sound=None)
    blind = write(tmp_path / "blind.mkv", sound_T=np.ones(48_000) / 2)
    for path, error, words in (
        (short, errors.TooShortError, r"short\.mp4: has 1\.00 s of picture; 2 s are needed, leave"),
        (brief, errors.TooShortError, r"brief\.mkv: has 1\.0. s of sound; 2 s are needed, leave"),
        (quiet, errors.SilentError, r"quiet\.mp4: its sound track is silent; leave"),
        (deaf, errors.NoAudioError, r"deaf\.mp4: has no sound; leave"),
        (blind, errors.NoVideoError, r"blind\.mkv: has no picture; leave"),
    ):
        with pytest.raises(error, match=words) as caught:
            video.decode(path, 16)
        assert "\n" not in str(caught.value)
    assert len(video.decode(short, 16, shortest_s=1.0).frames_SHWC) == 10


@pytest.mark.parametrize(
    ("suffix", "codec", "sound"),
    [(".mp4", "libx264", "aac"), (".mkv", "libx264", "libopus"), (".avi", "mpeg4", "mp3")],
)
def test_a_file_cut_short_is_truncated_and_gives_what_it_has(
    tmp_path: Path, suffix: str, codec: str, sound: str
) -> None:
    sound = "libmp3lame" if sound == "mp3" else sound
    muxer = {"movflags": "faststart"} if suffix == ".mp4" else {}
    options = {"bf": "0", "g": "10"}
    path = clip(tmp_path / f"v{suffix}", TENTHS, codec=codec, sound=sound, options=options, muxer=muxer)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(
        errors.TruncatedError, match=r"v\.\w+: (has \d+ of its \d+ bytes|\d\.\d s of its \w+ are missing)"
    ):
        video.decode(path, 16)
    assert shown(path, 0.5) == (4 if suffix == ".avi" else 5)  # the muxer's gap, as above
    path.write_bytes(content[:200])
    with pytest.raises(errors.VideoError):
        video.decode(path, 16)


def test_a_timestamp_years_ahead_asks_for_no_memory(tmp_path: Path) -> None:
    path = clip(tmp_path / "v.mkv", [*TENTHS, 50_000.0], sound_s=(0.0, 3.0))
    with pytest.raises(errors.UndecodableError, match=r"goes on for 50000 s; cut it"):
        video.decode(path, 16)


@pytest.mark.costly
def test_damaged_files_end_in_a_result_or_a_typed_line(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    contents = [
        clip(tmp_path / "a.mp4", TENTHS, muxer={"movflags": "faststart"}).read_bytes(),
        clip(tmp_path / "b.webm", TENTHS, codec="libvpx", sound="libopus").read_bytes(),
    ]
    outcomes, lines = set(), []
    for round_ in range(60):
        damaged = np.frombuffer(contents[round_ % 2], np.uint8).copy()
        start = generator.integers(len(damaged))
        damaged[start : start + generator.integers(1, 3_000)] = generator.integers(256)
        path = tmp_path / "damaged"
        path.write_bytes(damaged.tobytes())
        try:
            outcomes.add(type(video.decode(path, 16)))
        except errors.VideoError as error:
            outcomes.add(type(error))
            lines.append(str(error))
    assert len(outcomes) >= 3
    assert not [line for line in lines if "\n" in line or "damaged: " not in line]


@pytest.mark.slow
def test_real_videos_decode_and_every_step_shows_the_frame_of_its_timestamp(real_data: Path) -> None:
    paths = sorted(p for p in (real_data / "videos").glob("*.*") if p.suffix != ".csv")
    assert len(paths) == 28
    for path in paths:
        decoded = video.decode(path, 16)
        assert (
            len(decoded.frames_SHWC) == len(decoded.second_S) == int(np.ceil(decoded.duration_s * 10 - 1e-3))
        )
        assert abs(len(decoded.waveform_T) / 16_000 - decoded.duration_s) < 0.3
        if path.stat().st_size > 600_000:
            continue  # full decodes of a dozen are proof enough
        with av.open(str(path)) as container:
            origin_s = container.start_time / av.time_base
            frames = list(container.decode(video=0))
            # Decoders give frames in the order of presentation, AVI's guessed stamps are not in order.
            times_N = np.sort([frame.time - origin_s for frame in frames])
            for second, image_HWC in zip(decoded.second_S[::7], decoded.frames_SHWC[::7], strict=True):
                index = max(0, int(np.searchsorted(times_N, second + 1e-4, side="right")) - 1)
                expected_HWC = frames[index].to_ndarray(format="rgb24", width=16, height=16)
                assert np.array_equal(image_HWC, expected_HWC), (path.name, second)


@pytest.mark.costly
def test_a_step_of_a_real_video_is_its_frame_squeezed(real_data: Path) -> None:
    for path in sorted((real_data / "videos").glob("*.mp4"))[:3]:
        decoded = video.decode(path, 64)
        for step in (0, 17, 58):
            image = Image.fromarray(video.frame_at(path, step / 10)).resize(
                (64, 64), Image.Resampling.BILINEAR
            )
            error_S = np.abs(decoded.frames_SHWC.astype(float) - np.asarray(image, float)).mean(
                axis=(1, 2, 3)
            )
            assert error_S[step] < 3
            assert error_S[step] <= error_S.min() + 0.1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mmaction2_demo.mp4", "no_audio"),
        ("torchcodec_av1_video.mkv", "no_audio"),
        ("shared-assets_flower.mp4", "silent"),
        ("openl3_bento.mp4", "too_short"),
        ("decord_corrupted.mp4", "truncated"),
        ("decord_video_90.mov", "no_audio"),
    ],
)
def test_edge_cases_of_real_files_are_told_apart(real_data: Path, name: str, kind: str) -> None:
    path = real_data / "videos" / "edge_cases" / name
    with pytest.raises(errors.VideoError, match=name) as caught:
        video.decode(path, 16)
    assert caught.value.kind == kind
    width_px, height_px = {"decord_video_90.mov": (320, 568)}.get(name, (0, 0))
    assert not width_px or video.frame_at(path, 0.05).shape == (height_px, width_px, 3)
