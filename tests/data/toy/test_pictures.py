from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sound2scene.data.toy import pictures
from sound2scene.data.toy.truth import KINDS, Truth, draw_truth


def singles(count: int, split: str = "train", seed: int = 5) -> list[Truth]:
    return [draw_truth(seed, split, index) for index in range(count)]


def test_the_box_holds_the_object_tightly() -> None:
    for truth in singles(16):
        source = truth.sources[0]
        canvas_TCHW = np.zeros((1, 3, 128, 128), dtype=np.float32)
        sprite = pictures.Sprite(source.kind, source.x, source.y, source.diameter, source.seed)
        pictures.paint(canvas_TCHW, sprite, np.zeros(1), np.ones(1))
        drawn_HW = canvas_TCHW[0].max(axis=0) > 8
        rows, columns = np.flatnonzero(drawn_HW.any(axis=1)), np.flatnonzero(drawn_HW.any(axis=0))
        expected = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / 128
        assert np.abs(expected - source.box).max() <= 1.01 / 128


@pytest.mark.parametrize("kind", KINDS)
def test_area_grows_with_loudness_and_height_follows_pitch(kind: str) -> None:
    truths = [t for t in singles(400) if t.label == kind]
    source = [t.sources[0] for t in truths]
    box = np.array([s.box for s in source])
    area = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    assert np.corrcoef(area, [s.loudness_db for s in source])[0, 1] > 0.9
    assert np.corrcoef(box[:, 1] + box[:, 3], [s.pitch for s in source])[0, 1] < -0.95


def picture_features(truth: Truth) -> NDArray[np.floating[Any]]:
    """Shares of hue among the saturated pixels, at 64 px and the true moment."""
    source = truth.sources[0]
    canvas_TCHW = pictures.background(truth.background, truth.seed)[None]
    sprite = pictures.Sprite(source.kind, source.x, source.y, source.diameter, source.seed)
    pictures.paint(canvas_TCHW, sprite, np.zeros(1), np.ones(1))
    image = Image.fromarray(canvas_TCHW[0].transpose(1, 2, 0).astype(np.uint8)).resize((64, 64))
    hue, saturation, _ = np.moveaxis(np.asarray(image.convert("HSV")), 2, 0)
    count = np.histogram(hue[saturation > 110], bins=32, range=(0, 256))[0]
    return count / max(1, count.sum())


@pytest.mark.costly
def test_looks_are_told_apart_by_their_nearest_centroid() -> None:
    train, held_out = singles(160), singles(80, "val")
    train_ND, held_out_ND = (np.stack([picture_features(t) for t in truths]) for truths in (train, held_out))
    scale = train_ND.std(axis=0) + 1e-3
    centroid = np.stack([train_ND[[t.label == kind for t in train]].mean(axis=0) for kind in KINDS])
    distance = (((held_out_ND[:, None] - centroid[None]) / scale) ** 2).sum(axis=2)
    correct = [KINDS[i] == t.label for i, t in zip(distance.argmin(axis=1), held_out, strict=True)]
    assert np.mean(correct) > 0.9
