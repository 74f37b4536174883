"""A picture of what was selected: chosen moment, where it sounds, score over time, and the middle frame beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities import move_data_to_device
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from sound2scene.data.batches.footage import Footage, FootageDataset
from sound2scene.data.batches.sampler import fixed_sample
from sound2scene.data.selection.file import Choice
from sound2scene.data.selection.parts import Parts
from sound2scene.data.video import decode as video
from sound2scene.figures.panels import SHOWN, show_pixels
from sound2scene.moments import STEP_HZ, Moments, Scored, Scorer
from sound2scene.types import SAMPLE_RATE_HZ, InputError

COUNT = 12
_WIDE = 2.6  # of the score over time, in pictures


class Row(NamedTuple):
    """One video of the sheet.

    Attributes:
        key: Its name.
        second: Chosen.
        pixels_CHW: Frame there, uint8.
        middle: Second of the other frame.
        middle_CHW: That frame, uint8.
        score_S: Of every step.
        level_S: Of the sound, dB re full scale.
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


class ContactSheet(pl.Callback):
    """Draws up to 12 videos, the same ones for the same list, when the selection is finished.

    They are decoded and scored once more, on the first rank: a run that goes on has not seen the others.

    Args:
        parts: Of the selection; the sheet has the name of its file, as PNG.
        videos: File of each key.
        scorer: Who chose.
    """

    def __init__(self, parts: Parts, videos: Mapping[str, Path], scorer: Scorer) -> None:
        self.parts, self.videos, self.scorer = parts, videos, scorer

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Draw; comes after the writer's teardown and before the scorer leaves its device."""
        if not trainer.is_global_zero:
            return
        chosen = self.parts.selection().videos
        keys = [key for key in sorted(chosen) if key in self.videos]
        dataset = FootageDataset(
            [(key, self.videos[key]) for key in fixed_sample(keys, COUNT)], self.scorer.side_px
        )
        shown = (dataset[position] for position in range(len(dataset)))
        mode = pl_module.training
        pl_module.eval()  # the scorer belongs to it, and Lightning has put back the mode in which that came
        # A file may have changed since.
        rows = [self._row(one, chosen[one.key], pl_module.device) for one in shown if one.moments is not None]
        pl_module.train(mode)
        if rows:
            _save(draw_sheet(rows), self.parts.target.with_suffix(".png"))

    def _row(self, footage: Footage, choice: Choice, device: torch.device) -> Row:
        assert footage.moments is not None
        with torch.inference_mode():
            scored = self.scorer.score(move_data_to_device(footage.moments, device))
        second, middle = choice.moments_s[0], footage.duration_s / 2
        path = self.videos[footage.key]
        return Row(
            footage.key,
            second,
            _frame(path, second),
            middle,
            _frame(path, middle),
            scored.score_S.float().cpu(),
            level(footage.moments),
            _heat(scored, second),
        )


def level(moments: Moments) -> Tensor:
    """Root mean square of the sound within each step, dB re full scale, -80 at least, (S,)."""
    length = round(SAMPLE_RATE_HZ / STEP_HZ)
    samples = len(moments.second_S) * length
    waveform_T = moments.waveform_T[:samples]
    padded_T = torch.cat([waveform_T, waveform_T.new_zeros(samples - len(waveform_T))])
    return 10 * padded_T.view(-1, length).square().mean(dim=1).clamp(min=1e-8).log10()


def draw_sheet(rows: list[Row]) -> Figure:
    """A row a video; the heat map's column is there if any video has one."""
    heat = any(row.heat_HW is not None for row in rows)
    widths = [1.0, *([1.0] if heat else []), _WIDE, 1.0]
    figure = Figure(figsize=(1.9 * sum(widths), 2.1 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(widths), squeeze=False, width_ratios=widths)
    for row, panels in zip(rows, grid, strict=True):
        show_pixels(panels[0], row.pixels_CHW)
        panels[0].set_title(f"chosen, {row.second:.1f} s", fontsize=9)
        panels[0].set_ylabel(row.key[-28:], fontsize=8, parse_math=False)
        if heat:
            _show_heat(panels[1], row)
        _show_scores(panels[-2], row)
        show_pixels(panels[-1], row.middle_CHW)
        panels[-1].set_title(f"middle, {row.middle:.1f} s", fontsize=9)
    return figure


def _show_heat(axes: Axes, row: Row) -> None:
    if row.heat_HW is None:
        axes.set_axis_off()
        return
    show_pixels(axes, row.pixels_CHW)
    axes.imshow(row.heat_HW.numpy(), cmap="jet", alpha=0.45, vmin=0, vmax=1)
    axes.set_title("where it sounds", fontsize=9)


def _show_scores(axes: Axes, row: Row) -> None:
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


def _frame(path: Path, second: float) -> Tensor:
    try:
        image_HWC = video.frame_at(path, second)
    except InputError:  # half of a sound that is longer than the pictures
        return torch.zeros(3, SHOWN, SHOWN, dtype=torch.uint8)
    shown = Image.fromarray(image_HWC).resize((SHOWN, SHOWN), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(shown)).permute(2, 0, 1)


def _heat(scored: Scored, second: float) -> Tensor | None:
    if scored.map_SHW is None:
        return None
    map_HW = scored.map_SHW[min(round(second * STEP_HZ), len(scored.map_SHW) - 1)].float().cpu()
    large_HW = interpolate(map_HW[None, None], (SHOWN, SHOWN), mode="bilinear", align_corners=False)[0, 0]
    low, high = large_HW.min(), large_HW.max()
    return (large_HW - low) / (high - low).clamp(min=1e-12)


def _save(figure: Figure, path: Path) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        figure.savefig(partial, format="png", dpi=80)
        partial.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error}); choose another output") from None
    finally:
        partial.unlink(missing_ok=True)
