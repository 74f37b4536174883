"""Moments drawn from videos: what a localizer's loader reads of one video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from sound2scene.data.batches.sampler import Draw, clip_seed
from sound2scene.data.video import decode as video
from sound2scene.moments import Drawn, Known, Moments, Watched, windows
from sound2scene.types import InputError

_TRIES = 10  # neighbours asked in place of a video that cannot be read


@dataclass(frozen=True)
class Entry:
    """A video of a split.

    Attributes:
        key: Its name.
        path: Its file.
        label: Class, or None.
        known: For measuring.
    """

    key: str
    path: str
    label: str | None = None
    known: Known = field(default_factory=Known)


def read_moments(key: str, path: str | Path, side_px: int) -> Moments:
    """Decode a video: its frames at 10 per second, squeezed to a square, and its sound.

    Raises:
        VideoError: If it cannot be read; the kind says why.
    """
    found = video.decode(Path(path), side_px)
    frames_SCHW = torch.from_numpy(found.frames_SHWC).permute(0, 3, 1, 2)
    return Moments(key, torch.from_numpy(found.second_S), frames_SCHW, torch.from_numpy(found.waveform_T))


class MomentReader(Dataset[Any]):
    """What a loader's worker does with one video of a split.

    Args:
        entries: The split.
        classes: Class names in the order of their indices.
        side_px: Side of the frames.
        window_s: Length of the sound around a frame.
        moments: Frames to draw from each video, one from each of as many equal parts; None reads the whole
            video.
        seed: With the epoch and the video's position, seeds the draw.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        classes: Sequence[str],
        side_px: int,
        window_s: float,
        moments: int | None = None,
        seed: int = 0,
    ) -> None:
        self.entries, self.side_px, self.window_s = entries, side_px, window_s
        self.number = {name: index for index, name in enumerate(classes)}
        self.moments, self.seed = moments, seed

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, draw: Draw) -> Any:
        if self.moments is None:
            return self._watched(self.entries[draw.position])
        dice = torch.Generator().manual_seed(clip_seed(self.seed, draw))
        rejected: list[tuple[str, str]] = []
        for step in range(min(_TRIES, len(self))):
            entry = self.entries[(draw.position + step) % len(self)]
            try:
                found = read_moments(entry.key, entry.path, self.side_px)
            except video.VideoError as error:
                rejected.append((entry.key, error.kind))
                continue
            return self._drawn(found, self.number.get(entry.label or "", -1), rejected, dice)
        raise InputError(
            f"{self.entries[draw.position].path}: neither this video nor the {len(rejected) - 1} after it "
            "can be read "
            f"({rejected[0][1]}); check the folder of the videos"
        )

    def _watched(self, entry: Entry) -> Watched:
        label = self.number.get(entry.label or "", -1)
        try:
            return Watched(read_moments(entry.key, entry.path, self.side_px), entry.known, label, [])
        except video.VideoError as error:
            return Watched(None, entry.known, label, [(entry.key, error.kind)])

    def _drawn(
        self, found: Moments, label: int, rejected: list[tuple[str, str]], dice: torch.Generator
    ) -> tuple[str, int, Tensor, Tensor, list[tuple[str, str]]]:
        assert self.moments is not None
        part_M = (torch.arange(self.moments) + torch.rand(self.moments, generator=dice)) / self.moments
        # float32 may round the last share up to 1.
        step_M = (part_M * len(found.second_S)).long().clamp(max=len(found.second_S) - 1)
        frames_MCHW = found.frames_SCHW[step_M]
        if torch.rand((), generator=dice) < 0.5:
            frames_MCHW = frames_MCHW.flip(-1)
        return (
            found.key,
            label,
            frames_MCHW,
            windows(found.waveform_T, found.second_S[step_M], self.window_s),
            rejected,
        )

    def collate(self, items: list[Any]) -> Drawn | Watched:
        """Draws to a batch; a whole video stays what it is."""
        if self.moments is None:
            watched: Watched = items[0]
            return watched
        key, label, frames, sounds, rejected = zip(*items, strict=True)
        lost = [entry for found in rejected for entry in found]
        return Drawn(list(key), torch.tensor(label), torch.stack(frames), torch.stack(sounds), lost)
