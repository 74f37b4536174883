"""The looks of the toy world: eight objects drawn from signed fields, on five kinds of background.

Every object lives in its own frame: ``u`` to the right, ``v`` up, inside the unit circle. A layer is a field,
positive inside and about as steep as a distance, with a colour; layers are painted in order, the first one
with a dark rim.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE_PX = 128


BACKGROUNDS = ("plain", "gradient", "stripes", "checks", "noise")


Field = NDArray[np.floating[Any]]


Colour = tuple[float, float, float]  # hue, saturation, value in [0, 1]


Layers = list[tuple[Field, Colour]]


Look = Callable[[Field, Field, Field], Layers]


_RIM_PX = 1.5


_RIM = (0.0, 0.0, 0.06)


_WHITE = (0.0, 0.0, 0.97)


_DARK = (0.0, 0.0, 0.12)


@dataclass(frozen=True)
class Sprite:
    """Where and how one object is drawn.

    Attributes:
        kind: A key of ``LOOKS``.
        x: Centre, in picture sides from the left.
        y: Centre, in picture sides from the top.
        diameter: Of the circle round the object, in picture sides.
        seed: Draws the nuisance: hue, brightness, tilt, aspect, drift and pulsation.
    """

    kind: str
    x: float
    y: float
    diameter: float
    seed: int


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
    return [(teeth - radius, (0.62, 0.72, 0.6)), (0.5 - radius, (0.62, 0.35, 0.85)), (0.24 - radius, _DARK)]


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
    return [(_any(cloud, dashes), (0.56, 0.85, 0.85)), (cloud, (0.51, 0.5, 0.97))]


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


LOOKS: Mapping[str, Look] = {
    "bell": _bell,
    "siren": _siren,
    "engine": _engine,
    "bird": _bird,
    "rain": _rain,
    "drum": _drum,
    "flute": _flute,
    "fire": _fire,
}


def _rgb(colour: Colour, shift: float = 0.0, gain: float = 1.0) -> Field:
    hue, saturation, value = colour
    rgb = colorsys.hsv_to_rgb((hue + shift) % 1.0, saturation, min(1.0, value * gain))
    return 255 * np.array(rgb, dtype=np.float32)


def _layers(sprite: Sprite, t_s_T: Field) -> tuple[slice, slice, Layers, Field]:
    """Fields of one sprite in pixels, over the rows and columns that it may touch, and its RGB colours."""
    rng = np.random.default_rng(sprite.seed)
    hue, gain, tilt, aspect = rng.uniform((-0.018, 0.88, -0.3, 0.9), (0.018, 1.08, 0.3, 1.1)).tolist()
    drift_x, drift_y, drift_hz, pulse_hz = rng.uniform((-4, -1.5, 0.15, 1.0), (4, 1.5, 0.3, 2.0)).tolist()
    t_s_T11 = t_s_T.astype(np.float32)[:, None, None]
    sway_T11 = np.sin(2 * np.pi * drift_hz * t_s_T11)
    radius_px_T11 = sprite.diameter * SIDE_PX / 2 * (1 + 0.05 * np.sin(2 * np.pi * pulse_hz * t_s_T11))
    reach_px = int(sprite.diameter * SIDE_PX / 2 * 1.2) + 7
    rows, columns = (
        slice(max(0, int(centre * SIDE_PX) - reach_px), min(SIDE_PX, int(centre * SIDE_PX) + reach_px))
        for centre in (sprite.y, sprite.x)
    )
    pixel = np.arange(SIDE_PX, dtype=np.float32) + 0.5
    right = (pixel[None, None, columns] - (sprite.x * SIDE_PX + drift_x * sway_T11)) / radius_px_T11
    up = ((sprite.y * SIDE_PX + drift_y * sway_T11) - pixel[None, rows, None]) / radius_px_T11
    cos, sin = math.cos(tilt), math.sin(tilt)
    u, v = (cos * right + sin * up) * aspect, (cos * up - sin * right) / aspect
    layers = [(field * radius_px_T11, colour) for field, colour in LOOKS[sprite.kind](u, v, t_s_T11)]
    rgb = np.stack([_rgb(colour, hue, gain) for _, colour in layers])
    return rows, columns, layers, rgb


def paint(canvas_TCHW: NDArray[np.float32], sprite: Sprite, t_s_T: Field, opacity_T: Field) -> None:
    """Draw a sprite over the frames of a canvas, in place.

    Args:
        canvas_TCHW: RGB in [0, 255], float32, 128 x 128; colour planes apart, which NumPy blends several
            times faster.
        sprite: What to draw.
        t_s_T: Seconds of the frames from the middle of the sounding interval, where drift and pulsation are
            zero.
        opacity_T: In [0, 1].
    """
    rows, columns, layers, rgb = _layers(sprite, t_s_T)
    opacity_T11 = opacity_T.astype(np.float32)[:, None, None]
    patch_TCHW = canvas_TCHW[:, :, rows, columns]
    rim = (layers[0][0] + _RIM_PX, _rgb(_RIM))
    for field_THW, colour_C in [rim, *((field, rgb[i]) for i, (field, _) in enumerate(layers))]:
        alpha_THW = np.clip(field_THW + 0.5, 0, 1) * opacity_T11
        for channel in range(3):
            plane_THW = patch_TCHW[:, channel]
            plane_THW += alpha_THW * (colour_C[channel] - plane_THW)


def box(sprite: Sprite) -> tuple[float, float, float, float]:
    """Tight (x0, y0, x1, y1) round the sprite at the middle of its interval, in picture sides, cut at the border."""
    rows, columns, layers, _ = _layers(sprite, np.zeros(1, dtype=np.float32))
    inside_HW = layers[0][0][0] + _RIM_PX > 0
    row, column = np.flatnonzero(inside_HW.any(axis=1)), np.flatnonzero(inside_HW.any(axis=0))
    x0, x1 = columns.start + column[0], columns.start + column[-1] + 1
    y0, y1 = rows.start + row[0], rows.start + row[-1] + 1
    return x0 / SIDE_PX, y0 / SIDE_PX, x1 / SIDE_PX, y1 / SIDE_PX


def _noise(rng: np.random.Generator) -> Field:
    """Smooth noise about 1/2 in [0, 1]: white noise with a Gaussian low pass of 4 waves per side."""
    spectrum = np.fft.rfft2(rng.standard_normal((SIDE_PX, SIDE_PX), dtype=np.float32))
    waves = np.hypot(np.fft.fftfreq(SIDE_PX)[:, None], np.fft.rfftfreq(SIDE_PX)[None, :]) * SIDE_PX
    noise_HW = np.fft.irfft2(spectrum * np.exp(-0.5 * (waves / 4) ** 2))
    return np.asarray(np.clip(0.5 + 0.35 * noise_HW / noise_HW.std(), 0, 1), dtype=np.float32)


def background(kind: str, seed: int) -> NDArray[np.float32]:
    """One of ``BACKGROUNDS`` in two pale colours of any hue and brightness; image_CHW, RGB in [0, 255], float32."""
    rng = np.random.default_rng(seed)
    value = rng.uniform(0.3, 0.9)
    other = min(0.95, max(0.2, value + rng.choice((-1, 1)) * rng.uniform(0.1, 0.2)))
    first_C, second_C = (
        _rgb((rng.uniform(), rng.uniform(0, 0.2), each))[:, None, None] for each in (value, other)
    )
    pixel = np.linspace(0, 1, SIDE_PX, dtype=np.float32)
    angle, waves, waves_across = rng.uniform((0, 3, 3), (math.pi, 7, 7)).tolist()
    along = math.cos(angle) * pixel[None, :] + math.sin(angle) * pixel[:, None]
    across = math.cos(angle) * pixel[:, None] - math.sin(angle) * pixel[None, :]
    bands = 4 * np.sin(2 * math.pi * waves * along)
    if kind == "plain":
        mix_HW = np.zeros_like(along)
    elif kind == "gradient":
        mix_HW = (along - along.min()) / np.ptp(along)
    elif kind == "stripes":
        mix_HW = np.clip(bands, -0.5, 0.5) + 0.5
    elif kind == "checks":
        mix_HW = np.clip(bands * np.sin(2 * math.pi * waves_across * across), -0.5, 0.5) + 0.5
    else:
        assert kind == "noise", kind
        mix_HW = _noise(rng)
    return np.asarray(first_C + mix_HW * (second_C - first_C), dtype=np.float32)
