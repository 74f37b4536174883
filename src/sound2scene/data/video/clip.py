"""One clip from one video file: the frame of its moment and ten seconds of its sound."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sound2scene import audio, images
from sound2scene.data.settings import MomentRule
from sound2scene.data.video.decode import frame_at, sound
from sound2scene.data.video.errors import SilentError
from sound2scene.moments import STEP_HZ
from sound2scene.seeds import seed_of
from sound2scene.types import CLIP_S, CLIP_SAMPLES, SAMPLE_RATE_HZ, Clip, Rejected

LONGER_S = 10.5  # up to here a video is a clip of ten seconds, give or take a frame


class VideoJob(TypedDict):
    """A video that becomes a clip.

    Attributes:
        key: Key of the clip.
        label: Class of the clip, or None.
        video: Path of the video.
        side_px: Most pixels of the picture's short side.
        moment_s: Second of the picture, or the rule by which it is found.
        duration_s: Length of the video; where it is not known, the video lasts as long as its sound.
        metadata: What else is known of the clip.
        rejected: Kind and reason, for a video that is known to be of no use.
    """

    key: str
    label: str | None
    video: str
    side_px: int
    moment_s: NotRequired[float | MomentRule]
    duration_s: NotRequired[float]
    metadata: NotRequired[dict[str, Any]]
    rejected: NotRequired[tuple[str, str]]


def make_video_clip(job: VideoJob) -> Clip | Rejected:
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
    waveform_T = sound(path, whole=True)
    duration_s = len(waveform_T) / SAMPLE_RATE_HZ
    duration_s = max(duration_s, job.get("duration_s", 0.0))
    moment_s = _moment_s(job["moment_s"], duration_s, job["key"])
    sound_start_s = sound_start(moment_s, duration_s)
    about = {"video": path.name, "duration_s": duration_s, "sound_start_s": sound_start_s}
    about |= job.get("metadata", {})
    clip_T = ten_seconds(waveform_T, sound_start_s, path)
    jpeg = images.encode_jpeg(_shrunk(frame_at(path, moment_s), job["side_px"]))
    return Clip(job["key"], jpeg, clip_T, moment_s, job["label"], about)


def _moment_s(choice: float | MomentRule, duration_s: float, key: str) -> float:
    if not isinstance(choice, str):
        return choice
    share = 0.5 if choice == "middle" else random.Random(seed_of("moment", key)).random()
    return math.floor(share * duration_s * STEP_HZ) / STEP_HZ


def sound_start(moment_s: float, duration_s: float) -> float:
    """Second of a video at which a clip's ten seconds of sound start.

    Args:
        moment_s: Second of the clip's picture.
        duration_s: Length of the video.
    """
    if duration_s <= LONGER_S or moment_s < CLIP_S:
        return 0.0
    return max(0.0, min(moment_s - CLIP_S / 2, duration_s - CLIP_S))


def ten_seconds(waveform_T: NDArray[np.float32], start_s: float, path: Path) -> NDArray[np.float32]:
    """Ten seconds of a sound, 160,000 samples in [-1, 1]; one that ends earlier is repeated.

    Args:
        waveform_T: Sound of a video, 16 kHz.
        start_s: Second at which the ten seconds start.
        path: Video, for messages.

    Raises:
        SilentError: Nothing is to be heard in them, though there may be elsewhere in the video.
    """
    start = round(start_s * SAMPLE_RATE_HZ)
    clip_T = waveform_T[start : start + CLIP_SAMPLES].clip(-1, 1)
    if clip_T.size == 0 or audio.is_silent(clip_T):
        raise SilentError(f"{path}: is silent from {start_s:.1f} s on for 10 s; leave it out")
    return audio.fit_length(clip_T, CLIP_SAMPLES)


def _shrunk(image_HWC: NDArray[np.uint8], side_px: int) -> Image.Image:
    image = Image.fromarray(image_HWC)
    scale = side_px / min(image.size)
    if scale >= 1:
        return image
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
