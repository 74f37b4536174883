"""What was selected: the chosen moment, where it sounds, the score over time, the middle frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor

from sound2scene.data.batches.footage import FootageDataset
from sound2scene.data.batches.sampler import fixed_sample
from sound2scene.data.selection.parts import Parts
from sound2scene.data.video.decode import frame_at
from sound2scene.figures.contact_sheet import SheetRow, draw_sheet, level
from sound2scene.figures.panels import reduced, save
from sound2scene.figures.sheet import SIDE
from sound2scene.lightning import moved
from sound2scene.moments import STEP_HZ, Choice, Moments, Scored, Scorer
from sound2scene.types import InputError

COUNT = 12


class ContactSheet(pl.Callback):
    """Draws up to 12 videos, the same ones for the same list, when the selection is finished.

    They are decoded and scored once more, on the first rank: a run that goes on has not seen the others.

    Args:
        parts: Selection in the making; the sheet has the name of its file, as PNG.
        videos: File of each key.
        scorer: Who chose.
        about: What a reader of the sheet must know of that; nothing by default.
    """

    def __init__(self, parts: Parts, videos: Mapping[str, Path], scorer: Scorer, about: str = "") -> None:
        self.parts, self.videos, self.scorer, self.about = parts, videos, scorer, about

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
        rows = [
            self._row(one.found, one.duration_s, chosen[one.key], pl_module.device)
            for one in shown
            if isinstance(one.found, Moments)
        ]
        pl_module.train(mode)
        if rows:
            path = self.parts.target.with_suffix(".png")
            try:
                about = "; ".join(filter(None, [self.about, self._about(len(rows), len(chosen))]))
                save(draw_sheet(rows, about), path)
            except OSError as error:
                raise InputError(f"{path}: cannot be written ({error}); choose another output") from None

    def _about(self, shown: int, chosen: int) -> str:
        scorer = self.parts.scorer
        weights = f", weights {str(scorer['fingerprint'])[:8]}" if scorer.get("fingerprint") else ""
        settings = "".join(f", {name} {value}" for name, value in scorer.get("settings", {}).items())
        return f"{shown} of {chosen} videos, chosen by {scorer['name']}{weights}{settings}"

    def _row(self, moments: Moments, duration_s: float, choice: Choice, device: torch.device) -> SheetRow:
        with torch.inference_mode():
            scored = self.scorer.score(moved(moments, device))
        second, middle = choice.moments_s[0], duration_s / 2
        path = self.videos[moments.key]
        return SheetRow(
            moments.key,
            second,
            _frame(path, second),
            middle,
            _frame(path, middle),
            scored.score_S.float().cpu(),
            level(moments),
            _heat(scored, second),
        )


def _frame(path: Path, second: float) -> Tensor:
    try:
        image_HWC = frame_at(path, second)
    except InputError:  # half of a sound that is longer than the pictures
        return torch.zeros(3, SIDE, SIDE, dtype=torch.uint8)
    return torch.from_numpy(reduced(Image.fromarray(image_HWC))).permute(2, 0, 1)


def _heat(scored: Scored, second: float) -> Tensor | None:
    """The map of the chosen step, as the scorer gives it: its values compare from video to video."""
    map_HW = scored.map_at(min(round(second * STEP_HZ), len(scored.score_S) - 1))
    return None if map_HW is None else map_HW.float().cpu()
