"""Perceptual hashes of pictures: the signs of the slow waves of the cosine transform, and who shares them.

Source: Zauner, *Implementation and benchmarking of perceptual image hash functions*, 2010 (pHash). A picture
and its copy of another size, compression or brightness differ in few bits, two unlike pictures in half.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

from sound2scene.data.duplicates.buckets import Buckets, ones

SIDE_PX = 64
COARSE, FINE = 8, 16  # slowest waves of each direction whose signs make a hash
WORDS = (COARSE**2 + FINE**2) // 64
NEAR_COARSE = 6  # most bits of 64 in which a copy differs: for speed
NEAR_FINE = 36  # and most of 256: copies of 25 photographs had 16, cropped ones 42, unlike ones 108 or more
BLANK = 2.0  # standard deviation, in grey levels, of a picture with nothing on it, whose signs are chance
_BANDS = NEAR_COARSE + 1  # of two hashes with so few different bits, one band at least is the same


def picture_hash(image: Image.Image) -> NDArray[np.uint64]:
    """Hash of a picture, (WORDS,): 64 bits of its coarse look, then 256 of a finer one; zeros if blank."""
    small = image.convert("L").resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
    grey_HW = np.asarray(small, np.float64)
    if grey_HW.std() < BLANK:
        return np.zeros(WORDS, np.uint64)
    waves_HW = dctn(grey_HW, norm="ortho")
    bits = [_signs(waves_HW[:side, :side]) for side in (COARSE, FINE)]
    return np.frombuffer(np.packbits(np.concatenate(bits)).tobytes(), np.uint64)


def _signs(waves_HW: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which waves are above their median, in which the first, the mean grey, has no say."""
    wave_N = waves_HW.ravel()
    return np.asarray(wave_N > np.median(wave_N[1:]))


class SamePictures:
    """Pictures of which copies are looked for among others.

    Args:
        hash_NW: Their hashes.
    """

    def __init__(self, hash_NW: NDArray[np.uint64]) -> None:
        self.hash_NW = hash_NW
        (shown_M,) = np.nonzero(hash_NW.any(1))
        self._buckets = [Buckets(_band(hash_NW[shown_M, 0], band), shown_M) for band in range(_BANDS)]

    def pairs(self, other_MW: NDArray[np.uint64]) -> Iterator[tuple[int, int, float]]:
        """Position here, position among the others, and share of different bits, of each copy.

        Args:
            other_MW: Hashes of others.
        """
        shown_M = (other_MW != 0).max(axis=1)
        for band, buckets in enumerate(self._buckets):
            for other_P, here_P in buckets.matches(_band(other_MW[:, 0], band), shown_M):
                differing_PW = self.hash_NW[here_P] ^ other_MW[other_P]
                near_P = ones(differing_PW[:, :1]) <= NEAR_COARSE
                for earlier in range(band):  # which has told of the pair already
                    near_P &= _band(differing_PW[:, 0], earlier) != 0
                fine_P = ones(differing_PW[:, 1:])
                for pair in np.nonzero(near_P & (fine_P <= NEAR_FINE))[0]:
                    yield int(here_P[pair]), int(other_P[pair]), float(fine_P[pair]) / FINE**2


def _band(hash_N: NDArray[np.uint64], band: int) -> NDArray[np.uint64]:
    """Some neighbouring bits of hashes; all bands together are the whole."""
    start, end = (64 * edge // _BANDS for edge in (band, band + 1))
    return (hash_N >> np.uint64(start)) & np.uint64((1 << (end - start)) - 1)
