"""How much moves in a video: one that shows a photograph tells nothing of what sounds in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sound2scene.data.video.decode import decode

SIDE_PX = 32  # so that the noise of a codec is averaged away
STILL = 8.0  # grey levels, of 255, below which nothing moves


def motion(path: Path) -> float:
    """Grey levels by which the liveliest spot of a video changes, but for a tenth of its time.

    Raises:
        VideoError: If it cannot be decoded.
    """
    decoded = decode(path, SIDE_PX)
    grey_SHW = decoded.frames_UHWC.mean(3)[decoded.shown_S]
    low_HW, high_HW = np.quantile(grey_SHW, [0.05, 0.95], axis=0)
    return float((high_HW - low_HW).max())
