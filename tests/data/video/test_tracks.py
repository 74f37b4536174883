from pathlib import Path

import av
import numpy as np
import pytest

from clips import clip
from sound2scene.data.video import decode as video
from sound2scene.data.video import errors
from sound2scene.data.video.tracks import opened

TENTHS = [i / 10 for i in range(60)]


def packets(path: Path) -> list[av.Packet]:
    with av.open(str(path)) as container:
        return [p for p in container.demux(video=0) if p.size]


def spoil(path: Path, *frames: int) -> Path:
    """Overwrite the packets of some frames, by their order in the file."""
    content = bytearray(path.read_bytes())
    found = packets(path)
    for frame in frames:
        packet = found[frame]
        content[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(content)
    return path


def long_clip(path: Path, key_every: int) -> Path:
    return clip(path, TENTHS, options={"bf": "0", "g": str(key_every), "sc_threshold": "0"})


@pytest.mark.costly
def test_damage_counts_until_the_next_key_frame(tmp_path: Path) -> None:
    # Key frames 0.5 s apart: half a second of spoilt pictures is put up with; the frame before stays.
    video.decode(spoil(long_clip(tmp_path / "a.mp4", 5), 22), 8)
    with opened(spoil(long_clip(tmp_path / "b.mp4", 20), 23)) as file:
        assert len([*file.frames(lambda second: round(second * 1000), file.picture)]) == 59
        assert file.missing_s(file.picture) == pytest.approx(1.7)
    with pytest.raises(errors.TruncatedError, match=r"b\.mp4: 1\.7 s of its picture are missing or damaged"):
        video.decode(tmp_path / "b.mp4", 8)


def test_a_damaged_packet_at_the_end_is_put_up_with(tmp_path: Path) -> None:
    path = spoil(long_clip(tmp_path / "v.mp4", 60), 59)
    decoded = video.decode(path, 8)
    assert np.array_equal(decoded.frames_SHWC[58], decoded.frames_SHWC[59])  # the frame before stays


def test_a_picture_of_which_nothing_decodes_is_undecodable(tmp_path: Path) -> None:
    path = spoil(long_clip(tmp_path / "v.mp4", 60), *range(60))
    with pytest.raises(errors.UndecodableError, match=r"nothing of its picture decodes"):
        video.decode(path, 8)
    with pytest.raises(errors.UndecodableError, match=r"nothing of its picture decodes"):
        video.frame_at(path, 1.0)


def test_frames_that_no_moment_shows_are_not_decoded(tmp_path: Path) -> None:
    options = {"bf": "2", "x264-params": "b-pyramid=none", "sc_threshold": "0", "b_strategy": "0"}
    path = clip(tmp_path / "v.mkv", [i / 30 for i in range(90)], rate_hz=30, options=options)
    counts = []
    for rate_hz in (1000, 10):
        with opened(path) as file:
            counts.append(len([*file.frames(lambda second, hz=rate_hz: int(second * hz), file.picture)]))
    assert counts[0] == 90
    assert counts[1] < 70


def test_one_thread_decodes(tmp_path: Path) -> None:
    path = clip(tmp_path / "v.mp4", TENTHS)
    with opened(path) as file:
        assert file.picture.stream.codec_context.thread_count == 1
        assert file.sound.stream.codec_context.thread_count == 1


def test_a_playlist_opens_nothing(tmp_path: Path) -> None:
    clip(tmp_path / "v.mp4", TENTHS)
    path = tmp_path / "list.mkv"
    path.write_text("ffconcat version 1.0\nfile v.mp4\n", encoding="utf-8")
    with pytest.raises(errors.UndecodableError, match=r"list\.mkv: cannot be decoded"):
        video.decode(path, 8)
