"""Fingerprints of sounds: signs of how the balance of bands changes, and who shares a stretch of them.

Source: Haitsma and Kalker, *A highly robust audio fingerprinting system*, 2002. A copy may be louder, coded
by another codec or begin at another second: some codes of a stretch stay as they are, which finds it, and few
bits of the whole stretch change, which proves it. Frames are longer here (512 ms) and their differences are
taken over 256 ms, so that codes every 64 ms are enough.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from sound2scene.data.duplicates.buckets import Buckets, ones
from sound2scene.types import CLIP_SAMPLES, SAMPLE_RATE_HZ

FRAME, HOP, LAG = 8192, 1024, 4
BANDS_HZ = (200.0, 6000.0)
CODES = (CLIP_SAMPLES - FRAME) // HOP + 1 - LAG  # of a clip
HEARD_DB = -70.0  # quieter frames say nothing
LEAST = 48  # codes that both sounds must have at the same time: 3 s
NEAR = 0.2  # most of their bits that may differ: copies of 18 real sounds had 0.16, unlike ones 0.44 or more
CROWD = 256  # codes of one value beyond which it is a hum, and no sign of a copy
_PARTS = (8, 0)  # bits by which a code is shifted to the 24 that are compared at first
_EDGES = np.round(np.geomspace(*BANDS_HZ, 34) * FRAME / SAMPLE_RATE_HZ).astype(int)
_WINDOW_T = np.hanning(FRAME).astype(np.float32)


def sound_codes(waveform_T: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Codes of a clip of 10 s, (CODES,); 0 where nothing is heard."""
    frame_FT = np.lib.stride_tricks.sliding_window_view(waveform_T, FRAME)[::HOP] * _WINDOW_T
    power_FK = np.square(np.abs(rfft(frame_FT, axis=1)))
    energy_FB = np.add.reduceat(power_FK, _EDGES, axis=1)[:, :-1]
    slope_FB = np.diff(energy_FB, axis=1)
    bits_FB = slope_FB[LAG:] > slope_FB[:-LAG]
    code_F = np.packbits(bits_FB, axis=1).view(">u4").ravel().astype(np.uint32)
    heard_F = np.square(frame_FT).mean(1) > 10 ** (HEARD_DB / 10)
    both_F = heard_F[LAG:] & heard_F[:-LAG]
    return np.where(both_F, np.maximum(code_F, 1), 0).astype(np.uint32)


class SameSounds:
    """Sounds of which copies are looked for among others.

    Args:
        code_NF: Their codes.
    """

    def __init__(self, code_NF: NDArray[np.uint32]) -> None:
        self.code_NF = code_NF
        code_C = code_NF.ravel()
        (heard_C,) = np.nonzero(code_C)
        item_C = heard_C.astype(np.int32)
        self._buckets = [Buckets(_part(code_C[heard_C], shift), item_C, CROWD) for shift in _PARTS]

    def pairs(self, other_MF: NDArray[np.uint32]) -> Iterator[tuple[int, int, float]]:
        """Position here, position among the others, and share of different bits, of each copy.

        Args:
            other_MF: Codes of others, a block of moderate size.
        """
        found: dict[tuple[int, int], float] = {}
        for here, other, shift in self._candidates(other_MF):
            share = _differing(self.code_NF[here], other_MF[other], shift)
            if share <= NEAR and share < found.get((here, other), 1.0):
                found[here, other] = share
        yield from ((here, other, share) for (here, other), share in found.items())

    def _candidates(self, other_MF: NDArray[np.uint32]) -> Iterator[tuple[int, int, int]]:
        """Two clips and the shift between them at which they share two codes or more."""
        code_C, span = other_MF.ravel(), 2 * CODES
        votes: list[NDArray[np.int64]] = []
        for shift, buckets in zip(_PARTS, self._buckets, strict=True):
            for other_P, here_P in buckets.matches(_part(code_C, shift), code_C != 0):
                shifts_P = here_P % CODES - other_P % CODES + CODES
                pair_P = (here_P // CODES) * len(other_MF) + other_P // CODES
                votes.append(pair_P * span + shifts_P)
        if votes:
            vote_V, count_V = np.unique(np.concatenate(votes), return_counts=True)
            for vote in vote_V[count_V > 1]:
                pair, shift = divmod(int(vote), span)
                yield *divmod(pair, len(other_MF)), shift - CODES


def _differing(here_F: NDArray[np.uint32], other_F: NDArray[np.uint32], shift: int) -> float:
    """Share of different bits where both are heard; 1 where that is too short a time to tell."""
    here_F = here_F[max(0, shift) : CODES + min(0, shift)]
    other_F = other_F[max(0, -shift) : CODES - max(0, shift)]
    differing_P = (here_F ^ other_F)[(here_F != 0) & (other_F != 0)]
    if len(differing_P) < LEAST:
        return 1.0
    return float(ones(differing_P[None])[0]) / (32 * len(differing_P))


def _part(code_C: NDArray[np.uint32], shift: int) -> NDArray[np.uint32]:
    return (code_C >> np.uint32(shift)) & np.uint32(0xFFFFFF)
