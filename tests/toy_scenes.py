"""Shards of the toy world's pictures without its videos, and what is true of them, in a moment."""

from pathlib import Path
from typing import Any

import numpy as np

from sound2scene import images
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.data.toy import pictures
from sound2scene.data.toy.truth import KINDS, Truth, draw_truth
from sound2scene.types import CLIP_SAMPLES, Clip


def painted(truth: Truth) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The picture of a clip with each source in the middle of its interval, (128, 128, 3)."""
    canvas_TCHW = pictures.background(truth.background, truth.seed)[None].copy()
    for source in truth.sources:
        pictures.paint(canvas_TCHW, source.sprite, np.zeros(1), np.ones(1))
    return np.rint(canvas_TCHW[0]).astype(np.uint8).transpose(1, 2, 0)


def make_clip(job: dict[str, Any]) -> Clip:
    truth = draw_truth(7, job["split"], job["number"], job["sources"])
    jpeg = images.encode_jpeg(painted(truth))
    silence_T = np.zeros(CLIP_SAMPLES, dtype=np.float32)
    return Clip(truth.key, jpeg, silence_T, truth.moment_true_s, truth.label, truth.as_json())


def toy_pictures(folder: Path, train: int = 16, val: int = 16) -> Path:
    """Pictures of one source, and a quarter as many of two, in `train`, `val` and `test`."""
    splits = {}
    for split, count in {"train": train, "val": val, "test": 1}.items():
        found = [(number, 1) for number in range(count)] + [(number, 2) for number in range(count // 4)]
        splits[split] = [
            {
                "key": draw_truth(7, split, number, sources).key,
                "split": split,
                "number": number,
                "sources": sources,
            }
            for number, sources in found
        ]
    return write_dataset(folder, splits, make_clip, Plan("toy", KINDS, workers=1))
