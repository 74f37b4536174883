"""The pictures of the toy world: objects painted from their looks, with a dark rim, on five backgrounds."""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sound2scene.data.toy.looks import LOOKS, Colour, Field, Layers

SIDE_PX = 128
BACKGROUNDS = ("plain", "gradient", "stripes", "checks", "noise")
_RIM_PX = 1.5
# Before and after the sound: wholly seen within the first margin, gone beyond the second.
_SEEN_S = (0.05, 0.2)
_RIM = (0.0, 0.0, 0.06)


@dataclass(frozen=True)
class Sprite:
    """Where and how one object is drawn.

    Attributes:
        kind: Kind of the object, a key of ``LOOKS``.
        x: Centre, in picture sides from the left.
        y: Centre, in picture sides from the top.
        diameter: Diameter of the circle round the object, in picture sides.
        seed: Seed of the nuisance: hue, brightness, tilt, aspect, drift and pulsation.
    """

    kind: str
    x: float
    y: float
    diameter: float
    seed: int


def _rgb(colour: Colour, shift: float = 0.0, gain: float = 1.0) -> Field:
    hue, saturation, value = colour
    rgb = colorsys.hsv_to_rgb((hue + shift) % 1.0, saturation, min(1.0, value * gain))
    return 255 * np.array(rgb, dtype=np.float32)


def opacity(start_s: float, end_s: float, second_T: Field) -> Field:
    """How much is seen, in [0, 1] and at any time, of an object that sounds from one second to another."""
    whole_s, gone_s = _SEEN_S
    inside_T = np.minimum(second_T - start_s, end_s - second_T)
    return np.asarray(np.clip((inside_T + gone_s) / (gone_s - whole_s), 0, 1))


def _nuisance(sprite: Sprite) -> list[float]:
    """Hue, brightness, tilt, aspect; drift to the right and down in pixels, its rate, the pulse's."""
    rng = np.random.default_rng(sprite.seed)
    still = rng.uniform((-0.018, 0.88, -0.3, 0.9), (0.018, 1.08, 0.3, 1.1)).tolist()
    moving = rng.uniform((-4, -1.5, 0.15, 1.0), (4, 1.5, 0.3, 2.0)).tolist()
    return [*still, *moving]


def placed(sprite: Sprite, t_s_T: Field) -> tuple[Field, Field, Field]:
    """Centre from the left, from the top, and diameter of a sprite that drifts and pulses, in picture sides.

    Args:
        sprite: The sprite.
        t_s_T: Seconds from the middle of its sounding interval.
    """
    drift_x, drift_y, drift_hz, pulse_hz = _nuisance(sprite)[4:]
    sway_T = np.sin(2 * np.pi * drift_hz * t_s_T)
    pulse_T = 1 + 0.05 * np.sin(2 * np.pi * pulse_hz * t_s_T)
    x_T, y_T = sprite.x + drift_x / SIDE_PX * sway_T, sprite.y + drift_y / SIDE_PX * sway_T
    return x_T, y_T, sprite.diameter * pulse_T


def _layers(sprite: Sprite, t_s_T: Field) -> tuple[slice, slice, Layers, Field]:
    """Fields of one sprite in pixels, over the rows and columns that it may touch, and its RGB colours."""
    hue, gain, tilt, aspect = _nuisance(sprite)[:4]
    t_s_T11 = t_s_T.astype(np.float32)[:, None, None]
    x_T11, y_T11, diameter_T11 = placed(sprite, t_s_T11)
    radius_px_T11 = diameter_T11 * SIDE_PX / 2
    reach_px = int(sprite.diameter * SIDE_PX / 2 * 1.2) + 7
    rows, columns = (
        slice(max(0, int(centre * SIDE_PX) - reach_px), min(SIDE_PX, int(centre * SIDE_PX) + reach_px))
        for centre in (sprite.y, sprite.x)
    )
    pixel = np.arange(SIDE_PX, dtype=np.float32) + 0.5
    right = (pixel[None, None, columns] - x_T11 * SIDE_PX) / radius_px_T11
    up = (y_T11 * SIDE_PX - pixel[None, rows, None]) / radius_px_T11
    cos, sin = math.cos(tilt), math.sin(tilt)
    u, v = (cos * right + sin * up) * aspect, (cos * up - sin * right) / aspect
    layers: Layers = [(field * radius_px_T11, colour) for field, colour in LOOKS[sprite.kind](u, v, t_s_T11)]
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
        opacity_T: Opacity in each frame, in [0, 1].
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
    """Tight box (x0, y0, x1, y1) round a sprite in the middle of its interval, in picture sides.

    What lies beyond the border of the picture is cut off.
    """
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
    """A background in two pale colours of any hue and brightness.

    Args:
        kind: One of ``BACKGROUNDS``.
        seed: Seed of its colours and its pattern.

    Returns:
        image_CHW: RGB in [0, 255], float32.
    """
    rng = np.random.default_rng(seed)
    value = rng.uniform(0.35, 0.85)
    other = value + rng.choice((-1, 1)) * rng.uniform(0.15, 0.25)
    first_C, second_C = (
        _rgb((rng.uniform(), rng.uniform(0.1, 0.3), min(0.95, each)))[:, None, None]
        for each in (value, other)
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
