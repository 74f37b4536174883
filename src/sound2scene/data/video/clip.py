"""One clip from one video file: the frame of its moment and ten seconds of its sound.

A job is a plain mapping: `key` and `label` of the clip, `video` (path), `moment_s` (a second, or `middle` or
`random`), `side_px`, and optionally `duration_s` of the video (else it lasts as long as its sound),
`metadata` for the clip, or `rejected` (kind and reason) for a video that is known to be of no use.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sound2scene import audio, images
from sound2scene.data.video import decode as video
from sound2scene.moments import STEP_HZ
from sound2scene.types import CLIP_S, CLIP_SAMPLES, SAMPLE_RATE_HZ, Clip, Rejected

SHORTEST_S = 2.0  # as for the selection of moments


LONGER_S = 10.5  # up to here a video is a clip of ten seconds, give or take a frame


def make_video_clip(job: Mapping[str, Any]) -> Clip | Rejected:
    """Decode a job's frame and sound; picklable for process pools.

    The picture is a JPEG of quality 95 whose short side has at most `side_px` pixels. The sound is the
    video's first ten seconds, which a shorter one is repeated to fill; of a longer video, ten seconds around
    the moment where the first ten do not hold it (`metadata["sound_start_s"]` says where they start).

    Raises:
        VideoError: The video cannot be used; the error's kind says why.
    """
    if "rejected" in job:
        kind, reason = job["rejected"]
        return Rejected(job["key"], reason, kind)
    path = Path(job["video"])
    waveform_T = video.sound(path, whole=True)
    duration_s = len(waveform_T) / SAMPLE_RATE_HZ
    if duration_s < SHORTEST_S:
        raise video.TooShortError(
            f"{path}: has {duration_s:.2f} s of sound; {SHORTEST_S:g} s are needed, leave it out"
        )
    duration_s = max(duration_s, job.get("duration_s", 0.0))
    moment_s = _moment_s(job["moment_s"], duration_s, job["key"])
    sound_start_s = sound_start(moment_s, duration_s)
    about = {"video": path.name, "duration_s": duration_s, "sound_start_s": sound_start_s} | job.get(
        "metadata", {}
    )
    clip_T = ten_seconds(waveform_T, sound_start_s, path)
    jpeg = images.encode_jpeg(_shrunk(video.frame_at(path, moment_s), job["side_px"]))
    return Clip(job["key"], jpeg, clip_T, moment_s, job["label"], about)


def _moment_s(choice: float | str, duration_s: float, key: str) -> float:
    if not isinstance(choice, str):
        return choice
    assert choice in ("middle", "random"), choice
    share = 0.5 if choice == "middle" else random.Random(key).random()
    return math.floor(share * duration_s * STEP_HZ) / STEP_HZ


def sound_start(moment_s: float, duration_s: float) -> float:
    """Second at which a clip's ten seconds of sound start."""
    if duration_s <= LONGER_S or moment_s < CLIP_S:
        return 0.0
    return max(0.0, min(moment_s - CLIP_S / 2, duration_s - CLIP_S))


def ten_seconds(waveform_T: NDArray[np.float32], start_s: float, path: Path) -> NDArray[np.float32]:
    """Ten seconds of a sound, 160,000 samples in [-1, 1]; one that ends earlier is repeated.

    Raises:
        SilentError: Nothing is to be heard in them, though there may be elsewhere in the video.
    """
    start = round(start_s * SAMPLE_RATE_HZ)
    clip_T = waveform_T[start : start + CLIP_SAMPLES].clip(-1, 1)
    if clip_T.size == 0 or audio.is_silent(clip_T):
        raise video.SilentError(f"{path}: is silent from {start_s:.1f} s on for 10 s; leave it out")
    return audio.fit_length(clip_T, CLIP_SAMPLES)


def _shrunk(image_HWC: NDArray[np.uint8], side_px: int) -> Image.Image:
    image = Image.fromarray(image_HWC)
    scale = side_px / min(image.size)
    if scale >= 1:
        return image
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
