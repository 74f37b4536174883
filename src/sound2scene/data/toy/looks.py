"""The looks of the toy world's eight objects, as signed fields.

Every object lives in its own frame: ``u`` to the right, ``v`` up, inside the unit circle. A layer is a field,
positive inside and about as steep as a distance, with a colour; layers are painted in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]
Colour = tuple[float, float, float]  # hue, saturation, value in [0, 1]
Layers = list[tuple[Field, Colour]]
Painter = Callable[[Field, Field, Field], Layers]
_WHITE = (0.0, 0.0, 0.97)
_DARK = (0.0, 0.0, 0.12)


def _disc(u: Field, v: Field, x: float, y: float, radius: float, squash: float = 1.0) -> Field:
    """A disc, or an ellipse of height ``squash`` times its width."""
    return np.asarray(radius - np.sqrt((u - x) ** 2 + ((v - y) / squash) ** 2))


def _box(u: Field, v: Field, half_width: float, low: float, high: float) -> Field:
    return np.asarray(np.minimum(np.minimum(half_width - np.abs(u), v - low), high - v))


def _any(*fields: Field) -> Field:
    return np.asarray(np.maximum.reduce(fields))


def _bell(u: Field, v: Field, t_s: Field) -> Layers:
    fall = np.clip((0.9 - v) / 1.5, 0.0, 1.0)
    width = np.sqrt(np.clip(fall * 4, 0, 1)) * (0.38 + 0.5 * fall**3)
    body = np.minimum(np.minimum(width - np.abs(u), v + 0.6), 0.9 - v)
    clapper = _disc(u, v, 0, -0.68, 0.22)
    band = np.minimum(body, 0.09 - np.abs(v + 0.22))
    return [(_any(body, clapper), (0.09, 0.9, 0.45)), (body, (0.145, 0.9, 0.97)), (band, (0.09, 0.9, 0.5))]


def _siren(u: Field, v: Field, t_s: Field) -> Layers:
    radius = np.sqrt(u**2 + v**2)
    ring = 0.13 - np.abs(radius - 0.52)
    return [(0.92 - radius, (0.0, 0.92, 0.85)), (ring, _WHITE)]


def _engine(u: Field, v: Field, t_s: Field) -> Layers:
    radius = np.sqrt(u**2 + v**2)
    teeth = 0.8 + 0.13 * np.clip(3 * np.cos(8 * np.arctan2(v, u) + 1.5 * t_s), -1, 1)
    return [(teeth - radius, (0.66, 0.85, 0.5)), (0.52 - radius, (0.08, 0.9, 0.95)), (0.24 - radius, _DARK)]


def _bird(u: Field, v: Field, t_s: Field) -> Layers:
    head = _disc(u, v, 0.45, 0.4, 0.34)
    tail = np.minimum(-0.4 - u, 0.32 - np.abs(v - 0.1 + 0.5 * (u + 0.9))) + np.minimum(0, u + 0.95)
    body = _any(_disc(u, v, -0.05, -0.12, 0.7, 0.72), head, tail)
    beak = np.minimum(u - 0.7, 0.2 - np.abs(v - 0.38) - 0.66 * (u - 0.7))
    wing = _disc(u, v, -0.15, -0.15, 0.42, 0.6)
    eye = _disc(u, v, 0.52, 0.48, 0.1)
    return [
        (_any(body, beak), (0.09, 0.95, 0.98)),
        (body, (0.34, 0.85, 0.72)),
        (wing, (0.36, 0.95, 0.38)),
        (eye, _WHITE),
    ]


def _rain(u: Field, v: Field, t_s: Field) -> Layers:
    cloud = _any(_disc(u, v, -0.45, 0.25, 0.4), _disc(u, v, 0.02, 0.42, 0.48), _disc(u, v, 0.5, 0.25, 0.38))
    streak = 0.16 - np.abs((u + 0.2 * v) * 2.6 % 1.0 - 0.5) / 1.6
    drops = np.minimum(np.minimum(streak, 0.75 - np.abs(u + 0.2 * v)), np.minimum(0.1 - v, v + 0.85))
    dashes = np.minimum(drops, 0.3 - np.abs((v + 0.6 * t_s) * 1.8 % 1.0 - 0.5))
    return [(_any(cloud, dashes), (0.51, 0.9, 0.8)), (cloud, (0.5, 0.1, 0.98))]


def _drum(u: Field, v: Field, t_s: Field) -> Layers:
    side = _any(_box(u, v, 0.82, -0.5, 0.45), _disc(u, v, 0, -0.5, 0.82, 0.3))
    skin = _disc(u, v, 0, 0.45, 0.82, 0.34)
    zigzag = np.minimum(side, 0.09 - np.abs(v + 0.25 - 0.6 * (np.abs(u * 2.4 % 1.0 - 0.5) - 0.25) * 2))
    return [(_any(side, skin), (0.91, 0.85, 0.85)), (zigzag, _WHITE), (skin, (0.91, 0.15, 0.97))]


def _flute(u: Field, v: Field, t_s: Field) -> Layers:
    along, across = 0.8 * u + 0.6 * v, 0.8 * v - 0.6 * u
    bar = np.minimum(0.96 - np.abs(along), 0.26 - np.abs(across))
    spacing = (along * 2.8 + 0.5) % 1.0 - 0.5
    holes = np.minimum(0.13 - np.sqrt((spacing / 2.8) ** 2 + across**2), 0.75 - np.abs(along))
    return [(bar, (0.76, 0.75, 0.85)), (holes, _DARK)]


def _flame(u: Field, v: Field, t_s: Field) -> Field:
    fall = np.clip((0.95 - v) / 1.85, 0.0, 1.0)
    sway = 0.12 * (1 - fall) * np.sin(5 * v - 8 * t_s)
    width = 1.9 * fall**1.2 * np.sqrt(1 - fall)
    return np.asarray(np.minimum(width - np.abs(u - sway), 0.95 - np.abs(v)))


def _fire(u: Field, v: Field, t_s: Field) -> Layers:
    tongues = _any(
        _flame(u, v, t_s),
        _flame(1.5 * u - 0.7, 1.4 * v + 0.3, t_s),
        _flame(1.5 * u + 0.7, 1.4 * v + 0.3, t_s),
    )
    heart = _flame(1.9 * u, 1.7 * v + 0.6, t_s) / 1.9
    return [(tongues, (0.055, 0.97, 0.98)), (heart, (0.15, 0.85, 1.0))]


LOOKS: Mapping[str, Painter] = {
    "bell": _bell,
    "siren": _siren,
    "engine": _engine,
    "bird": _bird,
    "rain": _rain,
    "drum": _drum,
    "flute": _flute,
    "fire": _fire,
}
