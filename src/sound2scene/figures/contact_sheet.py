"""What was selected: chosen moment, where it sounds, score over time, and the middle frame beside it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from sound2scene.figures.page import TICKS
from sound2scene.figures.panels import pixels_of
from sound2scene.figures.sheet import COLOURS, GAP, SIDE, Sheet
from sound2scene.moments import STEP_HZ, Moments
from sound2scene.types import SAMPLE_RATE_HZ

_WIDE = 680  # dots of the score over time
_FOOT = 200  # for colour scale and legend, below the ticks of the last row
_LEFT = 48  # for the ticks of the score
SCORE, CHOSEN, MIDDLE, LEVEL = "#0072b2", "#d55e00", "#404040", "#dedede"
LOWEST_DB = -80


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
        heat_HW: Where it sounds at the chosen step, over the whole frame, of any size and on any scale, which
            has to be the same for all rows; None where no one looked.
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
    """A row a video, with one scale for all scores and one for all heat maps.

    The heat map's column is there if any video has one.

    Args:
        rows: The videos.
        about: What it rests on: who chose, of how many videos.
    """
    heat = [row.heat_HW for row in rows if row.heat_HW is not None]
    columns = [SIDE, *([SIDE] if heat else []), _LEFT, _WIDE, SIDE]
    sheet = Sheet(
        "Chosen moments beside the middles of the videos",
        about,
        columns,
        len(rows),
        captions=True,
        foot=_FOOT,
    )
    headings = ["chosen moment", *(["where it sounds"] if heat else []), "", "score", "middle"]
    for column, words in enumerate(headings):
        sheet.heading(column, words)
    if heat:
        scale = Normalize(min(float(one.min()) for one in heat), max(float(one.max()) for one in heat))
        if scale.vmin == scale.vmax:
            scale.vmax = float(scale.vmin or 0) + 1
    for number, row in enumerate(rows):
        sheet.name(number, row.key, keep_end=True)
        sheet.picture(number, 0, pixels_of(row.pixels_CHW))
        sheet.caption(number, 0, f"at {row.second:.1f} s")
        if row.heat_HW is not None:
            _show_heat(sheet, number, row.pixels_CHW, row.heat_HW, scale)
        _show_scores(sheet.page.panel(sheet.box(number, len(columns) - 2)), rows, number)
        sheet.picture(number, len(columns) - 1, pixels_of(row.middle_CHW))
        sheet.caption(number, len(columns) - 1, f"at {row.middle:.1f} s")
    _explain(sheet, sheet.box(0, len(columns) - 2).left)
    if heat:
        words = "where it sounds: value of the map"
        sheet.colour_bar(scale, COLOURS, words, sheet.box(0, 1).left, drop=60)
    return sheet.finish()


def _show_heat(sheet: Sheet, number: int, pixels_CHW: Tensor, heat_HW: Tensor, scale: Normalize) -> None:
    """The map's colours over a frame in pale grey, so that no colour of the frame is taken for a value."""
    grey_HW = pixels_CHW.float().mean(dim=0).numpy() / 255
    box = sheet.box(number, 1)
    sheet.page.show(grey_HW, box, cmap="gray", norm=Normalize(0, 1))
    sheet.page.show(heat_HW.float().numpy(), box, cmap=COLOURS, norm=scale, alpha=0.6)


def _show_scores(axes: Axes, rows: list[SheetRow], number: int) -> None:
    row, last = rows[number], number == len(rows) - 1
    second_S = np.arange(len(row.score_S)) / STEP_HZ
    sound = axes.twinx()
    sound.fill_between(second_S, row.level_S.numpy(), LOWEST_DB, color=LEVEL, linewidth=0)
    sound.set_ylim(LOWEST_DB, 0)
    sound.set_yticks([])
    axes.set_zorder(sound.get_zorder() + 1)  # the line over the sound's level
    axes.patch.set_visible(False)
    axes.plot(second_S, row.score_S.numpy(), color=SCORE, linewidth=1.2)
    axes.axvline(row.second, color=CHOSEN, linewidth=1.5)
    axes.axvline(row.middle, color=MIDDLE, linewidth=1, linestyle=":")
    axes.set_xlim(0, max(second_S[-1], 1 / STEP_HZ))
    low = min(float(one.score_S.min()) for one in rows)
    high = max(float(one.score_S.max()) for one in rows)
    margin = 0.05 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)
    axes.set_ylabel("score", fontsize=TICKS, labelpad=1)
    if last:
        axes.set_xlabel("seconds", fontsize=TICKS, labelpad=1)


def _explain(sheet: Sheet, left: float) -> None:
    entries: dict[str, dict[str, Any]] = {
        "score (one scale for all rows)": {"color": SCORE},
        f"level of the sound, {LOWEST_DB} to 0 dB re full scale": {"color": LEVEL},
        "chosen moment": {"color": CHOSEN},
        "middle of the video": {"fill": False, "ec": MIDDLE, "ls": ":"},
    }
    sheet.page.legend(entries, left + GAP, sheet.bottom + 60)
