"""Small clips for tests: drawn pictures and synthesised sounds, each a function of its job alone."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from sound2scene import images
from sound2scene.types import CLIP_SAMPLES, Clip, InputError, Rejected

LABELS = ("bell", "drum", None)
# 23 training clips: no batch size of the tests divides them, so that every epoch has a ragged end.
COUNTS = {"train": 23, "val": 7, "test": 5}


def jobs(prefix: str = "", counts: Mapping[str, int] = COUNTS) -> dict[str, list[dict[str, Any]]]:
    return {
        split: [{"key": f"{prefix}{split}-{number:02d}", "seed": number} for number in range(count)]
        for split, count in counts.items()
    }


def draw(job: dict[str, Any]) -> Clip:
    rng = np.random.default_rng(job["seed"])
    image_HWC = np.kron(rng.integers(0, 256, (4, 6, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    second_T = np.arange(CLIP_SAMPLES, dtype=np.float32) / 16_000
    waveform_T = (
        0.5 * np.sin(2 * np.pi * (100 + 40 * job["seed"]) * second_T) * (second_T < 1 + job["seed"] % 5)
    )
    label = LABELS[job["seed"] % 3]
    about = {"colour": image_HWC[0, 0].tolist()}
    return Clip(job["key"], images.encode_jpeg(image_HWC), waveform_T.astype(np.float32), 1.5, label, about)


def draw_some(job: dict[str, Any]) -> Clip | Rejected:
    if job["seed"] % 5 == 1:
        return Rejected(job["key"], "no sound of that name", "no_sound")
    if job["seed"] % 5 == 3:
        raise InputError(f"{job['key']}.jpg: not a readable picture")
    return draw(job)


def draw_and_tell(job: dict[str, Any]) -> Clip | Rejected:
    """Leave a line in a file for each clip that is drawn."""
    with Path(job["trace"]).open("a") as file:
        file.write(f"{job['key']}\n")
    return draw_some(job)


def draw_few(job: dict[str, Any]) -> Clip | Rejected:
    """The first twelve of a split; the others take for ever."""
    while job["seed"] >= 12:
        time.sleep(1)
    return draw_and_tell(job)


def fail(job: dict[str, Any]) -> Clip:
    if job["seed"] == 3:
        raise ZeroDivisionError("a fault of ours")
    return draw(job)


def draw_under_one_name(job: dict[str, Any]) -> Clip:
    return draw(job | {"key": job.get("name", job["key"])})


def write_picture(path: Path, seed: int = 0, form: str | None = None) -> Path:
    """A small drawn picture; `form` where it is not what the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image_HWC = np.kron(np.random.default_rng(seed).integers(0, 256, (4, 6, 3)), np.ones((8, 8, 1))).astype(
        np.uint8
    )
    Image.fromarray(image_HWC).save(path, form)
    return path


def write_sound(path: Path, seed: int = 0, seconds: float = 0.5) -> Path:
    """A short tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    second_T = np.arange(int(seconds * 16_000)) / 16_000
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * (200 + 50 * seed) * second_T), 16_000)
    return path


def write_pairs(folder: Path, names: Sequence[str]) -> Path:
    """`images/` and `audios/` with a picture and a sound of every name."""
    for seed, name in enumerate(names):
        write_picture(folder / "images" / f"{name}.jpg", seed)
        write_sound(folder / "audios" / f"{name}.wav", seed)
    return folder
