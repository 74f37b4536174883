from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from hostile_server import hostile_server
from made_videos import TONE_S, grey, write_video
from selected import first
from sound2scene.data.video.cut import cut
from sound2scene.data.video.decode import frame_at, sound
from sound2scene.data.video.errors import VideoError

PAL, NTSC = Fraction(25), Fraction(30_000, 1001)


def seen(path: Path) -> list[tuple[float, float]]:
    """Second and mean grey level of each frame."""
    with av.open(str(path)) as container:
        return [(float(f.time), float(f.to_ndarray(format="gray").mean())) for f in container.decode(video=0)]


def onset_s(path: Path) -> float:
    loud_T = np.abs(sound(path)) > 0.05
    return float(np.argmax(loud_T)) / 16_000 if loud_T.any() else float("inf")


@pytest.mark.costly
@pytest.mark.parametrize(
    ("rate", "start_s"), first([(NTSC, 7.1), (PAL, 0.0), (PAL, 3.0), (PAL, 7.1), (NTSC, 0.0), (NTSC, 3.0)], 2)
)
def test_cut_shows_the_frames_of_its_seconds_at_their_times(
    tmp_path: Path, start_s: float, rate: Fraction
) -> None:
    source = write_video(tmp_path / "source.mp4", 20.0, rate)
    cut([source], start_s, tmp_path / "cut", 360)
    frames = seen(tmp_path / "cut")
    assert frames[0][0] == 0
    assert abs(len(frames) - 10 * rate) < 2
    for second, level in frames:
        # The frame on screen at that second of the source, which holds its number.
        assert abs(level - grey(int((start_s + second + 1e-3) * rate))) < 1.5
    assert all(
        abs(second + start_s - round((second + start_s) * rate) / rate) < 1e-3 for second, _ in frames[1:]
    )


@pytest.mark.costly
@pytest.mark.parametrize("start_s", first([7.1, 0.0, 3.0]))
def test_cut_sounds_at_its_seconds(tmp_path: Path, start_s: float) -> None:
    source = write_video(tmp_path / "source.mp4", 20.0)
    assert abs(onset_s(source) - TONE_S) < 0.003
    cut([source], start_s, tmp_path / "cut", 360)
    assert abs(onset_s(tmp_path / "cut") - (TONE_S - start_s)) < 0.003
    assert abs(len(sound(tmp_path / "cut")) / 16_000 - 10) < 0.1


@pytest.mark.costly
def test_seconds_count_from_the_first_timestamp_of_the_file(tmp_path: Path) -> None:
    source = write_video(tmp_path / "source.ts", 20.0, form="mpegts")
    with av.open(str(source)) as container:
        assert container.start_time > 0
    cut([source], 3.0, tmp_path / "cut", 360)
    for second in (0.0, 5.0):
        shown, wanted = frame_at(tmp_path / "cut", second).mean(), frame_at(source, 3.0 + second).mean()
        assert abs(shown - wanted) < 1.5
    assert abs(onset_s(tmp_path / "cut") - (onset_s(source) - 3)) < 0.003


@pytest.mark.costly
def test_pictures_and_sound_may_lie_in_two_files(tmp_path: Path) -> None:
    pictures = write_video(tmp_path / "pictures.mp4", 15.0, tone=False)
    tones = write_video(tmp_path / "tones.m4a", 15.0, pictures=False)
    cut([pictures, tones], 4.0, tmp_path / "cut", 360)
    assert abs(seen(tmp_path / "cut")[0][1] - grey(100)) < 1.5
    assert abs(onset_s(tmp_path / "cut") - (TONE_S - 4)) < 0.003


@pytest.mark.costly
def test_high_pictures_are_made_as_high_as_wanted_and_low_ones_are_left(tmp_path: Path) -> None:
    source = write_video(tmp_path / "source.mp4", 4.0, tone_s=0.0)
    for height, shape in ((32, (32, 48, 3)), (360, (64, 96, 3))):
        cut([source], 0.0, tmp_path / "cut", height)
        assert frame_at(tmp_path / "cut", 1.0).shape == shape


@pytest.mark.costly
def test_what_is_left_of_a_video_that_ends_inside_is_taken(tmp_path: Path) -> None:
    source = write_video(tmp_path / "source.mp4", 12.0)
    cut([source], 8.0, tmp_path / "cut", 360)
    assert len(seen(tmp_path / "cut")) == 100
    assert abs(len(sound(tmp_path / "cut")) / 16_000 - 4) < 0.1


@pytest.mark.parametrize(
    ("kind", "options", "start_s"),
    [
        ("too_short", {}, 10.5),
        ("too_short", {}, 3600.0),
        ("no_audio", {"tone": False}, 0.0),
        ("no_video", {"pictures": False}, 0.0),
    ],
)
def test_what_cannot_be_cut_says_its_kind(
    tmp_path: Path, kind: str, options: dict[str, Any], start_s: float
) -> None:
    source = write_video(tmp_path / "source.mp4", 12.0, **options)
    with pytest.raises(VideoError) as caught:
        cut([source], start_s, tmp_path / "cut", 360)
    assert caught.value.kind == kind
    assert "\n" not in str(caught.value)


@pytest.mark.costly
def test_a_file_that_lost_its_end_is_not_called_short(tmp_path: Path) -> None:
    source = write_video(tmp_path / "source.mp4", 20.0, index_first=True, tone_s=0.0)
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])
    cut([source], 0.0, tmp_path / "cut", 360, length_s=5.0)
    for start_s in (5.0, 18.0):
        with pytest.raises(VideoError) as caught:
            cut([source], start_s, tmp_path / "cut", 360)
        assert caught.value.kind in ("truncated", "undecodable")


def test_noise_is_undecodable(tmp_path: Path) -> None:
    (tmp_path / "source.mp4").write_bytes(b"<html>not a video</html>" * 100)
    with pytest.raises(VideoError) as caught:
        cut([tmp_path / "source.mp4"], 0.0, tmp_path / "cut", 360)
    assert caught.value.kind == "undecodable"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("given.mp4", "ffconcat version 1.0\nfile secret.ts\n"),
        ("given.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:12\n#EXTINF:12,\nsecret.ts\n#EXT-X-ENDLIST\n"),
        ("given.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:12\n#EXTINF:12,\n{web}\n#EXT-X-ENDLIST\n"),
    ],
    ids=["list of a file", "playlist of a file", "playlist of the web"],
)
def test_a_file_that_names_another_does_not_have_it_opened(
    tmp_path: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = write_video(tmp_path / "secret.ts", 12.0, form="mpegts")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with hostile_server() as web:
        web.content = secret.read_bytes()
        (tmp_path / name).write_text(text.format(web=web.address.replace("net.pth", "secret.ts")))
        with pytest.raises(VideoError) as caught:
            cut([tmp_path / name], 0.0, tmp_path / "cut", 360)
        assert web.asked == []
    assert caught.value.kind == "undecodable"


def test_a_cover_is_no_picture(tmp_path: Path) -> None:
    tones = write_video(tmp_path / "tones.m4a", 5.0, pictures=False)
    with av.open(str(tones)) as source, av.open(str(tmp_path / "covered.mp4"), "w") as output:
        copied = output.add_stream_from_template(source.streams.audio[0])
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 96, 64, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        for packet in cover.encode(av.VideoFrame.from_ndarray(np.zeros((64, 96, 3), np.uint8), "rgb24")):
            output.mux(packet)
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = copied
                output.mux(packet)
    with pytest.raises(VideoError) as caught:
        cut([tmp_path / "covered.mp4"], 0.0, tmp_path / "cut", 360)
    assert caught.value.kind == "no_video"
