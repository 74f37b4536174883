import math
from pathlib import Path

import numpy as np
import pytest

from clips import clip
from sound2scene.data.video import decode as video
from sound2scene.data.video.cut import cut
from sound2scene.data.video.orientation import obeyed
from sound2scene.types import SAMPLE_RATE_HZ

ONE = 1 << 16
# (a, b, c, d), and where the squares of top left (1), top right (2) and bottom left (3) go.
MATRICES = {
    "as it is": ((ONE, 0, 0, ONE), [[1, 2], [3, 0]]),
    "clockwise": ((0, ONE, -ONE, 0), [[3, 1], [0, 2]]),
    "half": ((-ONE, 0, 0, -ONE), [[0, 3], [2, 1]]),
    "counterclockwise": ((0, -ONE, ONE, 0), [[2, 0], [1, 3]]),
    "mirror": ((-ONE, 0, 0, ONE), [[2, 1], [0, 3]]),
    "upside down": ((ONE, 0, 0, -ONE), [[3, 0], [1, 2]]),
    "transposed": ((0, ONE, ONE, 0), [[1, 3], [2, 0]]),
    "transverse": ((0, -ONE, -ONE, 0), [[0, 2], [3, 1]]),
}
TENTHS = [number / 10 for number in range(25)]


def numbers(image_HWC: np.ndarray) -> list[list[int]]:
    """Numbers of the quarters, which have a grey of 70 times as much."""
    quarters = [np.split(half, 2, axis=1) for half in np.split(image_HWC.astype(float), 2)]
    return [[round(quarter[8:-8, 8:-8].mean() / 70) for quarter in row] for row in quarters]


def squares() -> np.ndarray:
    cells_HW = np.kron(np.array([[1, 2], [3, 0]]), np.ones((32, 32), int))
    return np.repeat((cells_HW * 70)[..., None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_is_obeyed_whole(name: str) -> None:
    matrix, expected = MATRICES[name]
    assert numbers(obeyed(squares(), matrix)) == expected
    assert obeyed(squares()[:, :40], matrix).shape == ((40, 64, 3) if matrix[0] == 0 else (64, 40, 3))


@pytest.mark.parametrize("degrees", [-44, -1, 1, 44])
def test_a_slanted_matrix_is_obeyed_to_the_nearest_quarter(degrees: int) -> None:
    turn, more = math.radians(degrees), math.radians(90 + degrees)
    for angle, name in ((turn, "as it is"), (more, "clockwise")):
        matrix = tuple(
            round(ONE * f) for f in (math.cos(angle), math.sin(angle), -math.sin(angle), math.cos(angle))
        )
        assert numbers(obeyed(squares(), matrix)) == MATRICES[name][1]


def test_no_matrix_and_an_absurd_one_leave_the_picture() -> None:
    for matrix in (None, (0, 0, 0, 0)):
        assert numbers(obeyed(squares(), matrix)) == MATRICES["as it is"][1]


@pytest.mark.parametrize("name", MATRICES)
def test_decoding_choosing_and_cutting_obey_the_matrix_of_a_file_alike(tmp_path: Path, name: str) -> None:
    matrix, expected = MATRICES[name]
    path = clip(tmp_path / "v.mp4", TENTHS, picture=squares())
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # of two tracks the first is the picture
    a, b, c, d = (value.to_bytes(4, "big", signed=True) for value in matrix)
    content[at : at + 20] = a + b + bytes(4) + c + d
    path.write_bytes(content)
    cut([path], 0.0, tmp_path / "cut.mp4", 64)
    for source in (path, tmp_path / "cut.mp4"):
        assert numbers(video.frame_at(source, 1.0)) == expected
        assert numbers(video.decode(source, 64).frames_SHWC[10]) == expected
    assert len(video.sound(tmp_path / "cut.mp4")) == pytest.approx(2.5 * SAMPLE_RATE_HZ, abs=2_000)
