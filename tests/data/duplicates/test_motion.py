from pathlib import Path

import numpy as np
import pytest

from clips import clip
from sound2scene.data.duplicates.motion import STILL, motion
from sound2scene.data.video.decode import Decoded
from sound2scene.data.video.errors import VideoError

SECONDS = [number / 10 for number in range(30)]


def test_a_photograph_for_a_video_is_still_whatever_the_codec_makes_of_it(tmp_path: Path) -> None:
    picture_HWC = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    path = clip(tmp_path / "still.mp4", SECONDS, picture=picture_HWC, options={"crf": "35"})
    assert motion(path) < STILL / 2


def test_a_video_with_frames_of_its_own_moves(tmp_path: Path) -> None:
    assert motion(clip(tmp_path / "moving.mp4", SECONDS)) > 5 * STILL


def test_a_flash_is_no_motion_and_what_lasts_is(monkeypatch: pytest.MonkeyPatch) -> None:
    frames_UHWC = np.stack([np.full((4, 4, 3), grey, np.uint8) for grey in (50, 90)])
    frames_UHWC[1, 1:] = 50  # one row alone changes
    for shown, grey in ((4, 0.0), (30, 40.0)):
        shown_S = (np.arange(100) < shown).astype(np.int64)
        decoded = Decoded(shown_S / 10, frames_UHWC, shown_S, np.zeros(0, np.float32), 10.0)
        monkeypatch.setattr("sound2scene.data.duplicates.motion.decode", lambda *_, found=decoded: found)
        assert motion(Path("any.mp4")) == grey


def test_a_video_that_cannot_be_decoded_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none.mp4").write_bytes(b"nothing")
    with pytest.raises(VideoError):
        motion(tmp_path / "none.mp4")
