"""What was selected: chosen moment, where it sounds, score over time, and the middle frame beside it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from sound2scene.figures.panels import show_pixels
from sound2scene.figures.words import write_side
from sound2scene.moments import STEP_HZ, Moments
from sound2scene.types import SAMPLE_RATE_HZ

_WIDE = 2.6  # width of the score over time, in pictures


class SheetRow(NamedTuple):
    """One video of the sheet.

    Attributes:
        key: Its name.
        second: Chosen.
        pixels_CHW: Frame there, uint8.
        middle: Second of the other frame.
        middle_CHW: That frame, uint8.
        score_S: Score of every step.
        level_S: Level of the sound at every step, dB re full scale.
        heat_HW: Where it sounds at the chosen step, in [0, 1], as large as the frame; None where no one
            looked.
    """

    key: str
    second: float
    pixels_CHW: Tensor
    middle: float
    middle_CHW: Tensor
    score_S: Tensor
    level_S: Tensor
    heat_HW: Tensor | None


def level(moments: Moments) -> Tensor:
    """Root mean square of the sound within each step, dB re full scale, -80 at least, (S,)."""
    length = round(SAMPLE_RATE_HZ / STEP_HZ)
    samples = len(moments.second_S) * length
    waveform_T = moments.waveform_T[:samples]
    padded_T = torch.cat([waveform_T, waveform_T.new_zeros(samples - len(waveform_T))])
    return 10 * padded_T.view(-1, length).square().mean(dim=1).clamp(min=1e-8).log10()


def draw_sheet(rows: list[SheetRow], about: str = "") -> Figure:
    """A row a video; the heat map's column is there if any video has one.

    Args:
        rows: The videos.
        about: What it rests on, for the title.
    """
    heat = any(row.heat_HW is not None for row in rows)
    widths = [1.0, *([1.0] if heat else []), _WIDE, 1.0]
    figure = Figure(figsize=(1.9 * sum(widths), 2.1 * len(rows)), layout="constrained")
    if about:
        figure.suptitle(about, fontsize=9, parse_math=False)
    grid = figure.subplots(len(rows), len(widths), squeeze=False, width_ratios=widths)
    for row, panels in zip(rows, grid, strict=True):
        show_pixels(panels[0], row.pixels_CHW)
        panels[0].set_title(f"chosen, {row.second:.1f} s", fontsize=9)
        write_side(panels[0], row.key, 8, keep_end=True)
        if heat:
            _show_heat(panels[1], row)
        _show_scores(panels[-2], row)
        show_pixels(panels[-1], row.middle_CHW)
        panels[-1].set_title(f"middle, {row.middle:.1f} s", fontsize=9)
    return figure


def _show_heat(axes: Axes, row: SheetRow) -> None:
    if row.heat_HW is None:
        axes.set_axis_off()
        return
    show_pixels(axes, row.pixels_CHW)
    axes.imshow(row.heat_HW.numpy(), cmap="jet", alpha=0.45, vmin=0, vmax=1)
    axes.set_title("where it sounds", fontsize=9)


def _show_scores(axes: Axes, row: SheetRow) -> None:
    second_S = np.arange(len(row.score_S)) / STEP_HZ
    sound = axes.twinx()
    sound.fill_between(second_S, row.level_S.numpy(), -80, color="0.87", linewidth=0)
    sound.set_ylim(-80, 0)
    sound.set_yticks([])
    axes.set_zorder(sound.get_zorder() + 1)  # the line over the sound's level
    axes.patch.set_visible(False)
    axes.plot(second_S, row.score_S.numpy(), color="tab:blue", linewidth=1.2)
    axes.axvline(row.second, color="tab:red", linewidth=1.5)
    axes.axvline(row.middle, color="0.4", linewidth=1, linestyle=":")
    axes.set_xlim(0, max(second_S[-1], 1 / STEP_HZ))
    axes.tick_params(labelsize=7)
    axes.set_title("score over seconds; grey: level of the sound", fontsize=9)
