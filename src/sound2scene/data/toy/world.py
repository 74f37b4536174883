"""The toy world: a procedural audio-visual corpus of real video files with sound, whose truth is known.

Eight kinds of source, each with its own voice (``sounds``) and look (``pictures``). The louder a source, the
larger it is drawn; the higher its pitch, the higher in the picture. It is seen only while it sounds, so that
the middle frame of the video often misses it. A part of the clips has two sources.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from sound2scene.data.settings import TOY_HELD_OUT_CLIPS
from sound2scene.data.toy import pictures, sounds
from sound2scene.data.toy.truth import KINDS, TRUTH, SoundSource, Truth, draw_truth
from sound2scene.files import alone, make_folder, replacing, sweep, write
from sound2scene.processes import spread
from sound2scene.progress import Bar
from sound2scene.records import Record
from sound2scene.types import CLIP_S, CLIP_SAMPLES, SAMPLE_RATE_HZ, InputError

__all__ = ["KINDS", "SoundSource", "Truth", "draw_truth", "read_truth", "render", "write_videos"]

FRAME_RATE_HZ = 10
WORLD = 3  # raise it when the same seed no longer gives the same clip: older folders are then refused
NAME = "toy"  # of this data, in the cards of what learns from it


def _frames(truth: Truth) -> NDArray[np.uint8]:
    second_T = np.arange(round(CLIP_S * FRAME_RATE_HZ), dtype=np.float32) / FRAME_RATE_HZ
    still_CHW = pictures.background(truth.background, truth.seed)
    opacity_ST = [pictures.opacity(s.start_s, s.end_s, second_T) for s in truth.sources]
    seen_T = np.flatnonzero(np.max(opacity_ST, axis=0))  # the rest is background alone
    canvas_TCHW = np.repeat(still_CHW[None], len(seen_T), axis=0)
    for source, opacity_T in zip(truth.sources, opacity_ST, strict=True):
        sprite = source.sprite
        pictures.paint(canvas_TCHW, sprite, second_T[seen_T] - source.middle_s, opacity_T[seen_T])
    frames_THWC = np.empty((len(second_T), pictures.SIDE_PX, pictures.SIDE_PX, 3), dtype=np.uint8)
    frames_THWC[:] = _interleaved(still_CHW)
    frames_THWC[seen_T] = _interleaved(canvas_TCHW)
    return frames_THWC


def _interleaved(image_NCHW: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Rounded images with their colours last: NumPy moves them plane by plane ten times as fast."""
    planes_NCHW = np.rint(image_NCHW).astype(np.uint8)
    image_NHWC = np.empty_like(planes_NCHW, shape=(*planes_NCHW.shape[:-3], *planes_NCHW.shape[-2:], 3))
    for channel in range(3):
        image_NHWC[..., channel] = planes_NCHW[..., channel, :, :]
    return image_NHWC


def render(truth: Truth) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Draw and synthesise one clip.

    Returns:
        frames_THWC (100, 128, 128, 3) RGB at 10 frames per second, and waveform_T (160000,) at 16 kHz in [-1,
        1].
    """
    waveform_T = sounds.noise_floor(truth.noise_floor_db, truth.seed)
    for source in truth.sources:
        length_s = source.end_s - source.start_s
        voice_T = sounds.voice(source.kind, source.pitch, source.loudness_db, length_s, source.seed)
        first = round(source.start_s * SAMPLE_RATE_HZ)
        waveform_T[first : first + len(voice_T)] += voice_T[: CLIP_SAMPLES - first]
    return _frames(truth), np.clip(waveform_T, -1, 1)


def _encode(path: Path, frames_THWC: NDArray[np.uint8], waveform_T: NDArray[np.float32]) -> None:
    """Write h264 and AAC into an mp4, with key frames 2.5 s apart, so that any frame is cheap to reach."""
    with av.open(str(path.absolute()), "w", format="mp4") as container:
        options = {"preset": "superfast", "crf": "18"}
        images = container.add_stream("libx264", rate=FRAME_RATE_HZ, options=options)
        images.width, images.height, images.pix_fmt = pictures.SIDE_PX, pictures.SIDE_PX, "yuv420p"
        images.codec_context.gop_size, images.codec_context.thread_count = 25, 1
        tones = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono", options={"aac_coder": "fast"})
        tones.bit_rate = 64_000
        for index, image_HWC in enumerate(frames_THWC):
            frame = av.VideoFrame.from_ndarray(image_HWC, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FRAME_RATE_HZ)
            container.mux(images.encode(frame))
        container.mux(images.encode(None))
        sound = av.AudioFrame.from_ndarray(waveform_T[None], format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = SAMPLE_RATE_HZ, 0, Fraction(1, SAMPLE_RATE_HZ)
        container.mux(tones.encode(sound))
        container.mux(tones.encode(None))


def video_path(folder: Path, truth: Truth) -> Path:
    """The file of a clip."""
    return folder / truth.split / f"{truth.key}.mp4"


def _write_video(folder: Path, truth: Truth) -> None:
    with replacing(video_path(folder, truth)) as partial_path:
        _encode(partial_path, *render(truth))


def _claim(folder: Path, settings: Mapping[str, Any]) -> None:
    """Mark the folder as this world's, or refuse one that holds another."""
    path = folder / "toy.json"
    if not path.exists():
        make_folder(folder)
        write(path, json.dumps(settings, indent=1) + "\n")
    elif (found := _SETTINGS.read(path)) != settings:
        raise InputError(
            f"{folder}: holds a toy world of other settings ({json.dumps(found)[:500]}); "
            "give these settings, choose another folder, or delete this one"
        )


_SETTINGS = Record(dict[str, Any], "delete the folder, or choose another one")


def is_toy(folder: Path) -> bool:
    """Whether a folder holds the videos of a toy world, or one of its splits."""
    return any((place / "toy.json").is_file() for place in (folder, folder.resolve().parent))


def clip_counts(train: int) -> dict[str, int]:
    """Clips of one source in each split of the usual world, of which so many to train on."""
    return {"train": train, "val": TOY_HELD_OUT_CLIPS, "test": TOY_HELD_OUT_CLIPS}


def mixed_counts(clips: Mapping[str, int], mixed: float) -> dict[str, int]:
    """Clips of two sources in each split.

    Args:
        clips: Clips of one source in each split.
        mixed: Clips of two sources for each clip of one.
    """
    return {split: round(mixed * count) for split, count in clips.items()}


def write_videos(
    folder: Path, clips: Mapping[str, int], mixed: float, seed: int, workers: int | None = None
) -> None:
    """Write ``folder/<split>/<key>.mp4`` and ``folder/<split>/truth.jsonl``; what is already there is kept.

    Args:
        folder: Folder of the world; made if it is missing.
        clips: Clips of one source per split, such as ``{"train": 1200, "val": 200, "test": 200}``.
        mixed: Clips of two sources for each clip of one, added to every split, such as 0.25.
        seed: Seed of the whole world, 0 or more.
        workers: Number of processes; None starts one per processor core.

    Raises:
        InputError: A negative number, no clip at all, or a folder that was made with other settings.
    """
    if min(seed, mixed, *clips.values()) < 0:
        raise InputError(f"seed {seed}, mixed {mixed}, clips {dict(clips)}: give numbers of 0 or more")
    if not sum(clips.values()):
        raise InputError(f"{folder}: a toy world of no clips; give at least one clip")
    with alone(folder / "toy.json"):
        _write_world(folder, clips, mixed, seed, workers)


def _write_world(
    folder: Path, clips: Mapping[str, int], mixed: float, seed: int, workers: int | None
) -> None:
    _claim(folder, {"world": WORLD, "clips": dict(sorted(clips.items())), "mixed": mixed, "seed": seed})
    truths = {
        split: [draw_truth(seed, split, index) for index in range(count)] for split, count in clips.items()
    }
    for split, count in mixed_counts(clips, mixed).items():
        truths[split] += [draw_truth(seed, split, index, sources=2) for index in range(count)]
    total = sum(map(len, truths.values()))
    progress = Bar(total, "toy videos", "clip")
    with progress, spread(min(total, workers or os.cpu_count() or 1), [__name__]) as each:
        for split, wanted in truths.items():
            make_folder(folder / split)
            missing = [truth for truth in wanted if not video_path(folder, truth).exists()]
            progress.update(len(wanted) - len(missing))
            for _ in each(partial(_write_video, folder), missing):
                progress.update()
            lines = [json.dumps(truth.as_json()) + "\n" for truth in wanted]
            write(folder / split / "truth.jsonl", "".join(lines))
            sweep(folder / split)


def read_truth(folder: Path, split: str) -> list[Truth]:
    """The truths of one split, single sources first.

    Raises:
        InputError: If the writing of the split never ended, or what was written is damaged.
    """
    path = folder / split / "truth.jsonl"
    return list(TRUTH.read_lines(path))
