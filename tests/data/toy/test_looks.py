import numpy as np
import pytest

from sound2scene.data.toy.looks import LOOKS, Layers
from sound2scene.data.toy.sounds import VOICES

SIDE = np.linspace(-2, 2, 401, dtype=np.float32)
U, V = np.meshgrid(SIDE, SIDE)


def layers(kind: str, second: float) -> Layers:
    return LOOKS[kind](U[None], V[None], np.full((1, 1, 1), second, dtype=np.float32))


def test_whatever_sounds_has_a_look() -> None:
    assert list(LOOKS) == list(VOICES)


@pytest.mark.parametrize("kind", LOOKS)
def test_an_object_fills_a_good_part_of_its_circle_and_hardly_leaves_it(kind: str) -> None:
    for second in (0.0, 0.7):
        inside_HW = layers(kind, second)[0][0][0] > 0
        assert 0.3 < inside_HW.mean() * 16 / np.pi < 0.9
        assert np.hypot(U, V)[inside_HW].max() < 1.3


@pytest.mark.parametrize("kind", LOOKS)
def test_what_is_painted_later_lies_on_the_first_layer(kind: str) -> None:
    (first, _), *others = layers(kind, 0.3)
    assert others
    for field, colour in others:
        assert (field > 0).any()
        assert not ((field > 0) & ~(first > 0)).any()
        assert all(0 <= value <= 1 for value in colour)


def test_wheels_turn_rain_falls_and_flames_sway_and_nothing_else_moves_by_itself() -> None:
    moving = {
        kind
        for kind in LOOKS
        if not all(
            np.array_equal(before, after)
            for (before, _), (after, _) in zip(layers(kind, 0.0), layers(kind, 0.4), strict=True)
        )
    }
    assert moving == {"engine", "rain", "fire"}
