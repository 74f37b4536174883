from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from sound2scene.figures import animation
from sound2scene.figures.animation import FRAME_MS, LAST_MS, Moving, animate, write_moving
from sound2scene.types import InputError


def grey(path: Path, level: int, size: tuple[int, int] = (20, 12)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, level, level)).save(path)
    return path


def levels(path: Path) -> tuple[list[int], list[int]]:
    """The grey of each frame, and how long it is shown."""
    found, times_ms = [], []
    with Image.open(path) as opened:
        assert (opened.format, opened.size, opened.info.get("loop")) == ("GIF", (10, 6), 0)
        for number in range(getattr(opened, "n_frames", 1)):
            opened.seek(number)
            found.append(int(np.asarray(opened.convert("RGB")).mean().round()))
            times_ms.append(opened.info["duration"])
    return found, times_ms


def test_frames_are_the_pictures_in_their_order_at_half_size_and_the_last_is_held(tmp_path: Path) -> None:
    pictures = [grey(tmp_path / f"{number}.png", 40 * number) for number in range(4)]
    assert animate(pictures, tmp_path / "a.gif") == 4
    assert levels(tmp_path / "a.gif") == ([0, 40, 80, 120], [FRAME_MS] * 3 + [LAST_MS])


def test_of_many_pictures_as_many_are_taken_evenly_with_the_first_and_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(animation, "FRAMES", 3)
    pictures = [grey(tmp_path / f"{number}.png", 10 * number) for number in range(11)]
    assert animate(pictures, tmp_path / "a.gif") == 3
    assert levels(tmp_path / "a.gif")[0] == [0, 50, 100]


def test_a_picture_of_another_size_or_a_damaged_one_is_left_out(tmp_path: Path) -> None:
    pictures = [grey(tmp_path / "0.png", 0, (30, 30)), grey(tmp_path / "1.png", 10)]
    pictures += [tmp_path / "2.png", grey(tmp_path / "3.png", 30)]
    pictures[2].write_bytes(b"\x89PNG, and then")
    assert animate(pictures, tmp_path / "a.gif") == 2
    assert levels(tmp_path / "a.gif")[0] == [10, 30]


def test_one_picture_is_no_animation(tmp_path: Path) -> None:
    assert animate([grey(tmp_path / "0.png", 0)], tmp_path / "a.gif") == 0
    assert not (tmp_path / "a.gif").exists()


def frames(count: int, size: tuple[int, int] = (21, 12)) -> Iterator[Image.Image]:
    return (Image.new("RGB", size, (40 * number, 40 * number, 40 * number)) for number in range(count))


def test_a_video_shows_each_picture_as_long_as_a_gif_does_and_has_even_sides(tmp_path: Path) -> None:
    write_moving(frames(3), 3, tmp_path / "a.mp4", "mp4")
    with av.open(str(tmp_path / "a.mp4")) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.width, video.height) == ("h264", 20, 12)
        found = [float(frame.to_ndarray(format="gray").mean()) for frame in container.decode(video)]
    times = [FRAME_MS // 100] * 2 + [LAST_MS // 100]
    assert len(found) == sum(times)
    seen = [found[0], found[times[0]], found[-1]]
    assert np.diff(seen) == pytest.approx([35, 35], abs=6)  # of 40: videos have fewer greys


def test_frames_are_taken_one_after_the_other(tmp_path: Path) -> None:
    write_moving(frames(3, (10, 6)), 3, tmp_path / "a.gif", "gif")
    assert levels(tmp_path / "a.gif") == ([0, 40, 80], [FRAME_MS] * 2 + [LAST_MS])


@pytest.mark.parametrize("kind", ["gif", "mp4"])
def test_frames_that_fail_midway_leave_no_file(tmp_path: Path, kind: Moving) -> None:
    def failing() -> Iterator[Image.Image]:
        yield from frames(2)
        raise InputError("no more")

    with pytest.raises(InputError, match="no more"):
        write_moving(failing(), 3, tmp_path / "a", kind)
    assert list(tmp_path.iterdir()) == []
