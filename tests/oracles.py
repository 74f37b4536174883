"""Slow twins: formulas written as plainly as possible, in float64, for the fast code to be compared with."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.signal
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]


# --- Spectrograms: the published way, one clip at a time in float64
# ---------------------------------------------------


def paper_log_density(waveform_T: FloatArray, density_floor: float = 1e-7) -> FloatArray:
    """log(S + floor) with scipy's spectrogram and its defaults, (257, 1004) for 10 s."""
    density_FT = scipy.signal.spectrogram(waveform_T.astype(np.float64), 16_000, nperseg=512, noverlap=353)[2]
    return np.log(density_FT + density_floor)


def log_mel_density(waveform_T: FloatArray, density_floor: float = 1e-7) -> FloatArray:
    """log(S + floor) of 128 Slaney bands, one Fourier transform a frame, (128, 1001) for 10 s."""
    window_W = scipy.signal.get_window("hann", 1024)
    padded_T = np.pad(waveform_T.astype(np.float64), 512, mode="reflect")
    starts = range(0, len(padded_T) - 1024 + 1, 160)
    power_TF = np.stack(
        [np.abs(np.fft.rfft(padded_T[start : start + 1024] * window_W)) ** 2 for start in starts]
    )
    mel_FT = slaney_bands(128, 1024, 16_000) @ power_TF.T
    return np.log(mel_FT * (16_000 / 1024) * 2 / (16_000 * np.square(window_W).sum()) + density_floor)


def slaney_bands(bands: int, n_fft: int, sample_rate_hz: int) -> FloatArray:
    """Triangles of area 1 whose corners lie evenly on Slaney's scale, (bands, n_fft // 2 + 1).

    The scale is straight to 1 kHz, 3 mel to 200 Hz, and above it 27 mel to each factor of 6.4.
    """
    top = 15 + 27 * math.log(sample_rate_hz / 2 / 1000) / math.log(6.4)
    corners_hz = [
        200 / 3 * mel if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)
        for mel in np.linspace(0, top, bands + 2).tolist()
    ]
    found = np.zeros((bands, n_fft // 2 + 1))
    for band, (low, middle, high) in enumerate(zip(corners_hz, corners_hz[1:], corners_hz[2:], strict=False)):
        for place in range(n_fft // 2 + 1):
            hz = place * sample_rate_hz / n_fft
            height = min((hz - low) / (middle - low), (high - hz) / (high - middle))
            found[band, place] = max(0.0, height) * 2 / (high - low)
    return found


def standardised(log_FT: FloatArray) -> FloatArray:
    """Per clip: mean 0, population standard deviation 1."""
    return (log_FT - log_FT.mean()) / (log_FT.std() + 1e-9)


# --- Alignment: losses as nested loops, ranks by sorting, chance by counting
# ------------------------------------------


def _unit(row: FloatArray) -> FloatArray:
    return row / math.sqrt(sum(float(x) ** 2 for x in row))


def l2_distance(one: FloatArray, other: FloatArray) -> float:
    """||one - other|| of unit vectors, the d of the paper."""
    return math.sqrt(sum((float(x) - float(y)) ** 2 for x, y in zip(_unit(one), _unit(other), strict=True)))


def cosine(one: FloatArray, other: FloatArray) -> float:
    """Cosine of the angle between two vectors."""
    return sum(float(x) * float(y) for x, y in zip(_unit(one), _unit(other), strict=True))


def symmetric_infonce(
    z_audio_GD: FloatArray, z_image_GD: FloatArray, logit: Callable[[FloatArray, FloatArray], float]
) -> float:
    """L_total of the paper's Eq. 2, any logit in place of -d: one term per pair and direction (Eq. 1)."""
    total = 0.0
    for anchors, others in ((z_audio_GD, z_image_GD), (z_image_GD, z_audio_GD)):
        for j, anchor in enumerate(anchors):
            logits = [logit(anchor, other) for other in others]
            total -= math.log(math.exp(logits[j]) / sum(math.exp(one) for one in logits))
    return total / (2 * len(z_audio_GD))


def ranks_by_sorting(
    z_query_ND: FloatArray, z_gallery_ND: FloatArray, right_NN: NDArray[np.bool_], asked: list[int]
) -> list[int]:
    """Where the first right answer stands in a query's gallery sorted by cosine, ties lost."""
    ranks = []
    for query in asked:
        order = sorted(asked, key=lambda i: (-cosine(z_query_ND[query], z_gallery_ND[i]), right_NN[query, i]))
        ranks.append(next(place for place, i in enumerate(order) if right_NN[query, i]))
    return ranks


def class_chance_by_counting(label_N: list[int], k: int) -> float:
    """Share of (query, set of k gallery items) with one of the query's class among the k, over all."""
    hits = [
        any(label_N[i] == label for i in drawn)
        for label in label_N
        for drawn in itertools.combinations(range(len(label_N)), min(k, len(label_N)))
    ]
    return sum(hits) / len(hits)


def neighbour_accuracy_by_voting(z_ND: FloatArray, label_N: list[int], k: int) -> float:
    """Share of rows whose k nearest other rows elect their label; a tie goes to the larger sum of cosines."""
    hits = 0
    for query in range(len(z_ND)):
        others = [i for i in range(len(z_ND)) if i != query]
        nearest = sorted(others, key=lambda i: -cosine(z_ND[query], z_ND[i]))[:k]
        votes = {
            label: (
                sum(label_N[i] == label for i in nearest),
                sum(cosine(z_ND[query], z_ND[i]) for i in nearest if label_N[i] == label),
            )
            for label in label_N
        }
        hits += max(votes, key=lambda label: votes[label]) == label_N[query]
    return hits / len(z_ND)
