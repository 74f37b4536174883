"""How a frame has to be turned and mirrored to stand as its file asks: by its display matrix."""

from __future__ import annotations

import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from numpy.typing import NDArray

Quarters = tuple[int, int, int, int]


def display_matrix(frame: VideoFrame) -> Quarters | None:
    """The part (a, b, c, d) of a frame's display matrix that turns and mirrors; None without one.

    A pixel at (x, y) is shown at (a x + c y, b x + d y), up to a shift.
    """
    found = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(found, SideData):
        return None
    a, b, _, c, d, *_ = np.frombuffer(bytes(found), np.int32, count=9).tolist()
    return a, b, c, d


def obeyed(image_HWC: NDArray[np.uint8], matrix: Quarters | None) -> NDArray[np.uint8]:
    """A picture as a display matrix asks for it, mirrors included, to the nearest quarter turn."""
    if matrix is None:
        return image_HWC
    a, b, c, d = matrix
    across, down = a, d
    if abs(b) + abs(c) > abs(a) + abs(d):  # x goes down and y goes across
        image_HWC, across, down = image_HWC.swapaxes(0, 1), c, b
    return image_HWC[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


def upright(image_HWC: NDArray[np.uint8], frame: VideoFrame) -> NDArray[np.uint8]:
    """A frame's picture turned and mirrored as its file asks."""
    return obeyed(image_HWC, display_matrix(frame))


def upright_frame(frame: VideoFrame) -> VideoFrame:
    """A frame turned and mirrored as its file asks; the same one where it asks for nothing."""
    matrix = display_matrix(frame)
    if matrix is None or matrix[1] == matrix[2] == 0 <= min(matrix[0], matrix[3]):
        return frame
    image_HWC = obeyed(frame.to_ndarray(format="rgb24", threads=1).astype(np.uint8, copy=False), matrix)
    return VideoFrame.from_ndarray(np.ascontiguousarray(image_HWC), format="rgb24")
