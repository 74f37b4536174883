import io

import numpy as np
import pytest
from PIL import Image

from drawn_copies import scene, small_jpeg
from sound2scene.data.duplicates.pictures import (
    FINE,
    NEAR_COARSE,
    NEAR_FINE,
    WORDS,
    SamePictures,
    picture_hash,
)


def slow_hash(image: Image.Image) -> list[int]:
    """Bits by sums over pixels, as the cosine transform is defined."""
    small = np.asarray(image.convert("L").resize((64, 64), Image.Resampling.BOX), np.float64)
    wave = np.array([[np.cos(np.pi * (x + 0.5) * k / 64) for x in range(64)] for k in range(16)])
    wave[0] /= np.sqrt(2)
    found = wave @ small @ wave.T
    bits = []
    for side in (8, 16):
        part = found[:side, :side].ravel()
        bits += [int(value > np.median(part[1:])) for value in part]
    return bits


def bits(hash_W: np.ndarray) -> list[int]:
    return np.unpackbits(hash_W.view(np.uint8)).tolist()


@pytest.mark.parametrize("seed", range(3))
def test_a_hash_is_the_signs_of_the_cosine_transform(seed: int) -> None:
    assert bits(picture_hash(scene(seed))) == slow_hash(scene(seed))


def test_small_worse_and_brighter_copies_are_found_and_other_pictures_are_not() -> None:
    known = SamePictures(np.array([picture_hash(scene(seed)) for seed in range(20)]))
    smaller = Image.open(io.BytesIO(small_jpeg(scene(3))))
    brighter = scene(7).point(lambda grey: min(255, int(1.1 * grey + 8)))
    others = [scene(100), smaller, scene(101), brighter, *map(scene, range(102, 130))]
    found = list(known.pairs(np.array([picture_hash(one) for one in others])))
    assert sorted((here, other) for here, other, _ in found) == [(3, 1), (7, 3)]


def test_pairs_are_those_of_a_comparison_of_all_with_all() -> None:
    rng = np.random.default_rng(0)
    here_NW = rng.integers(1, 2**64, (200, WORDS), np.uint64)
    flipped = np.zeros((200, 64 * WORDS), np.uint8)
    for row, count in enumerate(rng.integers(0, 12, 200)):
        flipped[row, rng.choice(64, count, replace=False)] = 1
        flipped[row, 64 + rng.choice(256, int(rng.integers(20, 45)), replace=False)] = 1
    other_NW = here_NW ^ np.packbits(flipped, axis=1).view(np.uint64)
    slow = {}
    for here, one in enumerate(here_NW):
        for other, two in enumerate(other_NW):
            unlike = np.array(bits(one)) != np.array(bits(two)) if here == other else np.ones(320)
            if unlike[:64].sum() <= NEAR_COARSE and unlike[64:].sum() <= NEAR_FINE:
                slow[here, other] = unlike[64:].sum() / FINE**2
    found = list(SamePictures(here_NW).pairs(other_NW))
    assert len(found) == len(slow)  # none is told twice
    assert {(here, other): share for here, other, share in found} == slow
    assert 20 < len(slow) < 180


def test_blank_pictures_are_no_copies_of_one_another() -> None:
    blank_NW = np.array([picture_hash(Image.new("RGB", (32, 32), grey)) for grey in ("black", "white")])
    assert not blank_NW.any()
    assert list(SamePictures(blank_NW).pairs(blank_NW)) == []
