import io
import math
import os
import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from sound2scene.audio import (
    OVERSHOOT,
    encode_flac,
    fit_length,
    is_silent,
    load,
    to_clip,
    to_pcm16,
)
from sound2scene.types import CLIP_SAMPLES, InputError

TONE_HZ = 440


def stereo_tone(rate_hz: int = 44_100, seconds: float = 4.0) -> NDArray[np.float32]:
    """Two channels of 440 Hz at 0.3 and 0.1, whose mean has 0.2; (samples, 2)."""
    tone_T = np.sin(2 * np.pi * TONE_HZ * np.arange(round(rate_hz * seconds)) / rate_hz)
    return np.stack([0.3 * tone_T, 0.1 * tone_T], axis=1).astype(np.float32)


def encoded(
    samples_TC: NDArray[np.float32], rate_hz: int, container: str, subtype: str | None = None
) -> bytes:
    """A file written by libsndfile."""
    file = io.BytesIO()
    soundfile.write(file, samples_TC, rate_hz, format=container, subtype=subtype)
    return file.getvalue()


def encoded_by_ffmpeg(samples_TC: NDArray[np.float32], rate_hz: int, container: str, codec: str) -> bytes:
    """A file written by FFmpeg."""
    file = io.BytesIO()
    layout = "stereo" if samples_TC.shape[1] == 2 else "mono"
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate_hz, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples_TC.T), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate_hz, 0
        to_codec = av.AudioResampler(stream.codec_context.format, layout, rate_hz)
        for part in [*to_codec.resample(frame), *to_codec.resample(None), None]:
            output.mux(stream.encode(part))
    return file.getvalue()


def wav_with(payload: bytes, claimed_bytes: int) -> bytes:
    """A 16 kHz mono 16-bit WAV file whose header claims more than it holds."""
    form = struct.pack("<4sIHHIIHH4sI", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16, b"data", claimed_bytes)
    return struct.pack("<4sI4s", b"RIFF", 36 + claimed_bytes, b"WAVE") + form + payload


class CountingFile(io.BytesIO):
    """Counts the bytes that are read from it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        size = super().readinto(buffer)
        self.count += size
        return size


def assert_is_the_tone(waveform_T: NDArray[np.float32], rel: float) -> None:
    """440 Hz at an amplitude of 0.2, whatever the file was."""
    assert waveform_T.shape == (CLIP_SAMPLES,)
    assert waveform_T.dtype == np.float32
    spectrum_F = np.abs(np.fft.rfft(waveform_T * np.hanning(CLIP_SAMPLES)))
    assert abs(spectrum_F.argmax() / 10 - TONE_HZ) <= 0.2
    assert np.sqrt(2 * np.mean(np.square(waveform_T))) == pytest.approx(0.2, rel=rel)


@pytest.mark.parametrize(
    ("container", "subtype", "rel"),
    [
        *(("WAV", subtype, 1e-3) for subtype in ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
        ("WAV", "PCM_U8", 2e-2),
        ("FLAC", "PCM_24", 1e-3),
        ("AIFF", "PCM_16", 1e-3),
        ("OGG", "VORBIS", 2e-2),
        ("OGG", "OPUS", 2e-2),
        ("MP3", None, 2e-2),
    ],
)
def test_stereo_files_of_libsndfile_keep_pitch_and_level(
    container: str, subtype: str | None, rel: float
) -> None:
    rate_hz = 48_000 if subtype == "OPUS" else 44_100
    assert_is_the_tone(load(encoded(stereo_tone(rate_hz), rate_hz, container, subtype)), rel)


@pytest.mark.parametrize(
    ("container", "codec", "rate_hz"),
    [
        ("mp4", "aac", 44_100),
        ("ipod", "aac", 22_050),
        ("adts", "aac", 44_100),
        ("webm", "libopus", 48_000),
        ("matroska", "flac", 44_100),
        ("avi", "libmp3lame", 44_100),
    ],
)
def test_stereo_files_of_ffmpeg_keep_pitch_and_level(container: str, codec: str, rate_hz: int) -> None:
    # LAME itself takes 5 % off.
    assert_is_the_tone(load(encoded_by_ffmpeg(stereo_tone(rate_hz, 10.0), rate_hz, container, codec)), 6e-2)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 48_000, 96_000])
def test_every_rate_gives_the_same_waveform(rate_hz: int) -> None:
    waveform_T = load(encoded(stereo_tone(rate_hz, 10.0), rate_hz, "WAV", "FLOAT"))
    expected_T = stereo_tone(16_000, 10.0).mean(1)
    # The filter rings where the tone begins and ends.
    np.testing.assert_allclose(waveform_T[800:-800], expected_T[800:-800], atol=1e-3)


def test_published_sounds_come_back_sample_for_sample(real_data: Path) -> None:
    for path in sorted((real_data / "vggsound_samples" / "inference").glob("*.wav")):
        samples_T, _ = soundfile.read(path)
        np.testing.assert_array_equal(
            load(path), np.tile(samples_T, 10)[:CLIP_SAMPLES].clip(-1, 1), err_msg=path.name
        )


@pytest.mark.costly
def test_real_videos_give_ten_seconds_of_sound(real_data: Path) -> None:
    suffixes = (".mp4", ".mkv", ".webm", ".avi")
    videos = [path for path in sorted((real_data / "videos").iterdir()) if path.suffix in suffixes]
    assert len(videos) == 28
    for path in videos:
        waveform_T = load(path)
        assert waveform_T.shape == (CLIP_SAMPLES,), path.name
        assert not is_silent(waveform_T), path.name


def test_real_videos_without_sound_are_refused(real_data: Path) -> None:
    for name in ("mmaction2_demo.mp4", "decord_video_90.mov", "torchcodec_av1_video.mkv"):
        with pytest.raises(InputError, match=rf"{name}: has no audio stream; give a file with sound"):
            load(real_data / "videos" / "edge_cases" / name)


def test_a_tenth_of_a_second_fills_the_whole_clip() -> None:
    short_T = np.linspace(-0.5, 0.5, 1_600, dtype=np.float32)
    waveform_T = load(encoded(short_T, 16_000, "WAV", "FLOAT"))
    np.testing.assert_array_equal(waveform_T, np.tile(short_T, 100))


def test_clip_length_is_a_choice_and_must_be_one() -> None:
    file = encoded(stereo_tone(), 44_100, "WAV")
    assert load(file, clip_s=2.5).shape == (40_000,)
    for clip_s in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InputError, match=r"clip_s: .* give seconds above 0"):
            load(file, clip_s=clip_s)


@pytest.mark.parametrize("kind", ["wav", "flac", "mp4", "matroska"])
def test_a_long_file_is_only_partly_read(kind: str) -> None:
    noise_T1 = np.random.default_rng(0).uniform(-0.5, 0.5, (16_000 * 120, 1)).astype(np.float32)
    if kind in ("mp4", "matroska"):
        data = encoded_by_ffmpeg(noise_T1, 16_000, kind, "aac" if kind == "mp4" else "flac")
    else:
        data = encoded(noise_T1, 16_000, kind.upper())
    file = CountingFile(data)
    waveform_T = load(file)
    assert file.count < 0.2 * len(data)
    if kind != "mp4":
        np.testing.assert_allclose(waveform_T, noise_T1[:CLIP_SAMPLES, 0], atol=1 / 32_768)


def test_a_file_of_ffmpeg_is_read_to_its_last_sample() -> None:
    noise_T1 = np.random.default_rng(0).uniform(-0.5, 0.5, (16_000, 1)).astype(np.float32)
    waveform_T = load(encoded_by_ffmpeg(noise_T1, 16_000, "matroska", "flac"))
    np.testing.assert_allclose(waveform_T, np.tile(noise_T1[:, 0], 10), atol=1 / 32_768)


def test_the_filter_does_not_ring_at_the_cut() -> None:
    long_T = np.full(44_100 * 12, 0.5, np.float32)
    np.testing.assert_allclose(load(encoded(long_T, 44_100, "WAV", "FLOAT"))[-50:], 0.5, atol=1e-4)


@pytest.mark.parametrize("name", ["-1pRmoJIGQc.wav", "-", "http:x.wav", "-26a.mp4"])
def test_a_strange_name_is_a_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tone_TC = stereo_tone(seconds=10)
    Path(name).write_bytes(
        encoded_by_ffmpeg(tone_TC, 44_100, "mp4", "aac")
        if name.endswith("mp4")
        else encoded(tone_TC, 44_100, "WAV")
    )
    assert_is_the_tone(load(name), 3e-2)


def test_path_bytes_and_file_give_the_same(tmp_path: Path) -> None:
    data = encoded(stereo_tone(), 44_100, "MP3")
    path = tmp_path / "tone.mp3"
    path.write_bytes(data)
    half_read = io.BytesIO(data)
    half_read.seek(1_000)
    for source in (data, half_read, str(path)):
        np.testing.assert_array_equal(load(source), load(path))


def test_silence_is_loaded_and_told() -> None:
    silence_T = load(encoded(np.zeros(16_000, np.float32), 16_000, "WAV"))
    assert not silence_T.any()
    assert is_silent(silence_T)
    steps_T = np.random.default_rng(0).integers(-1, 2, CLIP_SAMPLES).astype(np.float32)
    assert is_silent(steps_T / 32_768)
    assert not is_silent(steps_T * 1e-3)
    assert is_silent(steps_T * 1e-3, floor_db=-40)


def test_a_wav_cut_short_is_used_as_far_as_it_goes() -> None:
    whole = encoded(stereo_tone(16_000, 10.0), 16_000, "WAV")
    np.testing.assert_array_equal(load(whole[: len(whole) // 2])[:79_000], load(whole)[:79_000])


def broken_files(folder: Path) -> dict[str, tuple[bytes, str]]:
    """By name: what is in the file, and what the error must say."""
    tone_TC = stereo_tone()
    m4a = encoded_by_ffmpeg(tone_TC, 44_100, "ipod", "aac")
    mpegts = folder / "other.ts"
    mpegts.write_bytes(encoded_by_ffmpeg(tone_TC, 44_100, "mpegts", "aac"))
    playlist = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:4,\n{mpegts}\n#EXT-X-ENDLIST\n"
    flac = encoded(tone_TC, 44_100, "FLAC")
    with_nan_TC, with_infinity_TC = tone_TC.copy(), tone_TC.copy()
    with_nan_TC[22_050, 1], with_infinity_TC[11_025, 0] = np.nan, -np.inf
    return {
        "empty.wav": (b"", r"is empty \(0 bytes\); copy or download it again"),
        "text.wav": (
            b"not a sound at all\n" * 100,
            "not a sound that libsndfile or FFmpeg reads; give a WAV",
        ),
        "no_header.raw": (
            b"\x01\x02" * 4_000,
            "(not a sound that libsndfile or FFmpeg reads|has no audio stream); give",
        ),
        "half.m4a": (m4a[: len(m4a) // 2], "not a sound that libsndfile or FFmpeg reads"),
        "header_only.wav": (wav_with(b"", claimed_bytes=320_000), "holds no samples"),
        "head.wav": (encoded(tone_TC, 44_100, "WAV")[:20], "not a sound that libsndfile or FFmpeg reads"),
        "half.flac": (flac[: len(flac) // 2], r"is damaged after 1\.\d\d s; copy or download it again"),
        "nan.wav": (
            encoded(with_nan_TC, 44_100, "WAV", "FLOAT"),
            r"sample 22050 \(0\.500 s\) is nan; write the file",
        ),
        "infinity.wav": (
            encoded(with_infinity_TC, 44_100, "WAV", "FLOAT"),
            r"sample 11025 \(0\.250 s\) is -inf",
        ),
        "names_another_file.m3u8": (playlist.encode(), "not a sound that libsndfile or FFmpeg reads"),
    }


def test_broken_files_are_refused_in_one_line_with_name_and_remedy(tmp_path: Path) -> None:
    for name, (data, message) in broken_files(tmp_path).items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(InputError, match=rf"{name}: {message}") as error:
            load(path)
        assert "\n" not in str(error.value)
        assert ";" in str(error.value)


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"gone\.wav: cannot be opened \(No such file or directory\); give the path"
    ):
        load(tmp_path / "gone.wav")
    with pytest.raises(InputError, match=r"cannot be opened \(Is a directory\)"):
        load(tmp_path)


def test_a_pipe_is_refused() -> None:
    reader, writer = os.pipe()
    os.close(writer)
    with open(reader, "rb") as pipe, pytest.raises(InputError, match="give a regular file"):
        load(pipe)


@pytest.mark.parametrize("scale", [1e38, 2**31, 2**23, 2**15, 128, 100, 7])
@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_samples_of_another_scale_are_refused_and_never_become_a_square_wave(
    scale: float, rate_hz: int
) -> None:
    data = encoded(stereo_tone(rate_hz, 0.5) * np.float32(scale), rate_hz, "WAV", "FLOAT")
    with pytest.raises(
        InputError, match=r"its samples reach \S+ where full scale is 1; write the file again"
    ):
        load(data)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_the_overshoot_of_a_decoder_is_clipped(rate_hz: int) -> None:
    samples_TC = stereo_tone(rate_hz)[:, :1] * np.float32(OVERSHOOT / 0.301)
    waveform_T = to_clip(samples_TC, rate_hz)
    assert np.abs(waveform_T).max() == 1
    assert 0.5 < np.mean(np.abs(waveform_T) > 0.97) < 0.75  # 2/3 of a sine of height 2


def tone_wav(header: bytes) -> bytes:
    """A header and 2 s of 16 kHz mono 16-bit sound that never repeats."""
    return header + to_pcm16(rising()).tobytes()


def rising() -> NDArray[np.float32]:
    t_T = np.arange(32_000) / 16_000
    return (0.5 * np.sin(2 * np.pi * (200 + 150 * t_T) * t_T)).astype(np.float32)


def header(
    riff: int, data: int, order: str = "<", between: bytes = b"", name: bytes = b"RIFF", form: bytes = b""
) -> bytes:
    form = form or struct.pack(f"{order}HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    return (
        name
        + struct.pack(f"{order}I", riff)
        + b"WAVE"
        + (b"ds64" + struct.pack("<IQQQI", 28, 0, 0, 0, 0) if name == b"RF64" else b"")
        + b"fmt "
        + struct.pack(f"{order}I", len(form))
        + form
        + between
        + b"data"
        + struct.pack(f"{order}I", data)
    )


@pytest.mark.parametrize(
    "head",
    [
        header(0, 0),
        header(36, 0),
        header(0xFFFF_FFFF, 0xFFFF_FFFF),
        header(16_036, 16_000),
        header(16_037, 16_001),
        header(64_036, 64_000),
        header(0x7FFF_FFFF, 0x7FFF_F000),
        header(0, 0, between=b"LIST" + struct.pack("<I", 5) + b"INFOx\0"),
        header(0xFFFF_FFFF, 0xFFFF_FFFF, name=b"RF64"),
    ],
    ids=["killed", "killed early", "pipe", "short", "odd", "right", "long", "list before", "rf64 killed"],
)
def test_a_wav_file_gives_its_whole_sound_whatever_length_its_header_states(head: bytes) -> None:
    np.testing.assert_array_equal(load(tone_wav(head), clip_s=2.0), to_pcm16(rising()) / np.float32(32_768))


def test_a_wav_file_of_the_other_byte_order_gives_its_whole_sound() -> None:
    data = header(16_036, 16_000, ">", name=b"RIFX") + to_pcm16(rising()).astype(">i2").tobytes()
    np.testing.assert_array_equal(load(data, clip_s=2.0), to_pcm16(rising()) / np.float32(32_768))


@pytest.mark.parametrize(
    "behind",
    [
        b"LIST" + struct.pack("<I", 7_001) + bytes(7_002),
        b"TAG" + b"x" * 9_000,
        bytes(2_000),
    ],
    ids=["chunk", "tag", "padding"],
)
def test_what_is_no_sound_behind_a_wav_file_stays_out(behind: bytes) -> None:
    sound_T = to_pcm16(rising()) / np.float32(32_768)
    loaded_T = load(tone_wav(header(64_036, 64_000)) + behind, clip_s=4.0)
    np.testing.assert_array_equal(loaded_T, np.tile(sound_T, 2))


def test_an_empty_wav_file_with_chunks_behind_it_holds_no_samples() -> None:
    with pytest.raises(InputError, match="holds no samples; give a file with sound"):
        load(header(0, 0) + b"LIST" + struct.pack("<I", 7_000) + bytes(7_000))


@pytest.mark.parametrize("frames", [1, 20, 40, 60_000], ids=str)
def test_an_mp3_file_gives_its_whole_sound_whatever_its_xing_header_states(frames: int) -> None:
    data = encoded(rising(), 16_000, "MP3")
    at = data.index(b"Xing") if b"Xing" in data else data.index(b"Info")
    lying = data[: at + 8] + struct.pack(">I", frames) + data[at + 12 :]
    found_T, end_T = load(lying, clip_s=2.0)[:31_600], rising()[28_000:31_000]
    # FFmpeg leaves out 20 ms where such a header puts the end.
    matches = [np.corrcoef(found_T[28_000 - lag : 31_000 - lag], end_T)[0, 1] for lag in range(-5, 400)]
    assert max(matches) > 0.95


@pytest.mark.parametrize(("samples", "rate_hz"), [(1, 48_000), (1, 16_000), (50, 8_000), (400, 44_100)])
def test_less_than_ten_milliseconds_are_refused_by_name(tmp_path: Path, samples: int, rate_hz: int) -> None:
    path = tmp_path / "click.wav"
    path.write_bytes(encoded(np.full(samples, 0.5, np.float32), rate_hz, "WAV"))
    with pytest.raises(InputError, match=rf"click\.wav: holds {samples} samples? \(.+ s\); give a file with"):
        load(path)


def test_a_named_pipe_and_a_device_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(
        InputError, match=r"pipe\.wav: cannot be opened \(is a named pipe and no regular file"
    ):
        load(tmp_path / "pipe.wav")
    with pytest.raises(InputError, match=r"/dev/zero: cannot be opened \(is a device and no regular file"):
        load("/dev/zero")


HOSTILE_S = {
    "killed_zero_data.wav": 2.0,
    "pipe_ffffffff.wav": 2.0,
    "short_header.wav": 2.0,
    "rf64.wav": 2.0,
    "xing_lies_long.mp3": 6.0,
}


@pytest.mark.parametrize("name", HOSTILE_S)
def test_hostile_sounds_come_whole(real_data: Path, name: str) -> None:
    path = real_data / "hostile" / "audio" / name
    if not path.is_file():
        pytest.skip(f"no {path}")
    waveform_T = load(path, clip_s=2 * HOSTILE_S[name])
    half = len(waveform_T) // 2
    if name.endswith("wav"):
        np.testing.assert_array_equal(waveform_T[:half], waveform_T[half:])  # it repeats after its length
    spectrum_F = np.abs(np.fft.rfft(waveform_T[:half]))
    assert spectrum_F.argmax() == pytest.approx(TONE_HZ * HOSTILE_S[name], abs=2)
    assert np.abs(waveform_T[half // 2 : half - 800]).max() == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize(
    ("name", "words"),
    [("one_48k.wav", r"holds 1 sample \("), ("float_int16_scale.wav", r"its samples reach \d+ where")],
)
def test_hostile_sounds_of_no_use_are_refused_by_name(real_data: Path, name: str, words: str) -> None:
    path = real_data / "hostile" / "audio" / name
    if not path.is_file():
        pytest.skip(f"no {path}")
    with pytest.raises(InputError, match=rf"{name}: {words}"):
        load(path)


def test_one_channel_comes_back_bit_for_bit_and_is_not_the_array_that_was_given() -> None:
    samples_TC = np.random.default_rng(0).uniform(-1.2, 1.2, (CLIP_SAMPLES, 1)).astype(np.float32)
    before_TC = samples_TC.copy()
    waveform_T = to_clip(samples_TC, 16_000)
    assert np.array_equal(waveform_T, before_TC.mean(1, dtype=np.float32).clip(-1, 1))
    waveform_T[:] = 0
    assert np.array_equal(samples_TC, before_TC)


def test_fit_length_repeats_then_cuts() -> None:
    three_T = np.array([1, 2, 3], np.float32)
    assert fit_length(three_T, 7).tolist() == [1, 2, 3, 1, 2, 3, 1]
    assert fit_length(three_T, 2).tolist() == [1, 2]
    with pytest.raises(InputError, match="0 samples cannot be repeated"):
        fit_length(three_T[:0], 7)


def test_pcm16_takes_the_nearest_step_and_stays_in_range() -> None:
    waveform_T = np.array([-2, -1, -1.6 / 32_768, 0.4 / 32_768, 0.6 / 32_768, 1], np.float32)
    assert to_pcm16(waveform_T).tolist() == [-32_768, -32_768, -2, 0, 1, 32_767]


def test_flac_gives_back_the_quantised_waveform_exactly() -> None:
    waveform_T = np.random.default_rng(0).uniform(-1, 1, CLIP_SAMPLES).astype(np.float32)
    flac = encode_flac(waveform_T)
    np.testing.assert_array_equal(load(flac), to_pcm16(waveform_T) / np.float32(32_768))
    assert soundfile.info(io.BytesIO(flac)).samplerate == 16_000
