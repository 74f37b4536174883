"""Sounds with the pictures that were drawn of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure
from torch import Tensor

from sound2scene.figures.panels import pixels_of
from sound2scene.figures.sheet import SIDE, Sheet, bottom_of_scale

_MOST_PANELS = 150  # of full size; more make a picture that few programs open


class DrawnSound(NamedTuple):
    """One sound and its pictures.

    Attributes:
        name: What to call it.
        waveform_T: The sound as the encoder heard it, 16 kHz mono.
        pixels_JCHW: Its pictures, uint8.
    """

    name: str
    waveform_T: Tensor
    pixels_JCHW: Tensor


def grid_of_sounds(sounds: Sequence[DrawnSound], about: str = "") -> Figure:
    """A row a sound: its spectrogram, then its pictures, of which each has as many as the first.

    Args:
        sounds: What to show.
        about: What it rests on, such as :func:`sound2scene.figures.words.noise_words`.
    """
    draws = len(sounds[0].pixels_JCHW)
    side = SIDE if (draws + 1) * len(sounds) <= _MOST_PANELS else SIDE // 2
    sheet = Sheet(
        "Pictures drawn from sounds",
        about,
        [side] * (1 + draws),
        len(sounds),
        side,
        plots=True,
        foot=bottom_of_scale(),
    )
    sheet.heading(0, "sound")
    for draw in range(draws):
        sheet.heading(1 + draw, f"draw {draw}")
    for row, sound in enumerate(sounds):
        sheet.name(row, sound.name)
        sheet.sound(row, 0, sound.waveform_T)
        for draw, pixels_CHW in enumerate(sound.pixels_JCHW):
            sheet.picture(row, 1 + draw, pixels_of(pixels_CHW))
    return sheet.finish()
