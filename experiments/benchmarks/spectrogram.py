"""Time the batched spectrograms against librosa and scipy, in float64 as published and in float32.

scipy works clip by clip. Both sides have the same number of threads.

Run `python experiments/benchmarks/spectrogram.py`; it takes about a minute.
"""

from __future__ import annotations

import argparse

import librosa
import numpy as np
import scipy.fft
import torch
from scipy.signal import spectrogram as scipy_spectrogram
from timing import compare, print_table

from sound2scene.spectrogram import spectrogram
from sound2scene.types import CLIP_SAMPLES, SAMPLE_RATE_HZ


def standardise(power_FT: np.ndarray) -> np.ndarray:
    """Log and standardise one clip as the published loader does."""
    log_FT = np.log(power_FT + 1e-7)
    return (log_FT - log_FT.mean()) / (log_FT.std() + 1e-9)


def scipy_clip(waveform_T: np.ndarray) -> np.ndarray:
    """Compute the published spectrogram of one clip."""
    return standardise(scipy_spectrogram(waveform_T, SAMPLE_RATE_HZ, nperseg=512, noverlap=353)[2])


def librosa_clip(waveform_T: np.ndarray) -> np.ndarray:
    """Compute the log-mel spectrogram of one clip."""
    mel_FT = librosa.feature.melspectrogram(
        y=waveform_T, sr=SAMPLE_RATE_HZ, n_fft=1024, hop_length=160, n_mels=128, pad_mode="reflect"
    )
    return standardise(mel_FT)


def main() -> None:
    """Print one table per batch size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, nargs="+", default=[16, 64], help="batch sizes")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    paper, log_mel = spectrogram("paper"), spectrogram("log_mel")
    for clips in arguments.clips:
        waveform_BT = (
            0.1 * torch.randn(clips, CLIP_SAMPLES, generator=torch.Generator().manual_seed(0))
        ).clamp(-1, 1)
        single_BT, double_BT = waveform_BT.numpy(), waveform_BT.double().numpy()
        rows = {}
        for threads in arguments.threads:
            torch.set_num_threads(threads)
            with torch.inference_mode(), scipy.fft.set_workers(threads):
                rows[f"paper / scipy, {threads} threads"] = compare(
                    lambda: paper(waveform_BT),  # noqa: B023 (called before the loop goes on)
                    lambda: [scipy_clip(waveform_T) for waveform_T in double_BT],  # noqa: B023
                    arguments.repeats,
                )
                rows[f"paper / scipy in float32, {threads} threads"] = compare(
                    lambda: paper(waveform_BT),  # noqa: B023
                    lambda: [scipy_clip(waveform_T) for waveform_T in single_BT],  # noqa: B023
                    arguments.repeats,
                )
                rows[f"log_mel / librosa, {threads} threads"] = compare(
                    lambda: log_mel(waveform_BT),  # noqa: B023
                    lambda: [librosa_clip(waveform_T) for waveform_T in single_BT],  # noqa: B023
                    arguments.repeats,
                )
        print(f"batch of {clips}, median of {arguments.repeats}")
        print_table(rows, clips, "clip")


if __name__ == "__main__":
    main()
