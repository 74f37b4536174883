"""Moments drawn from videos: what a localizer's loader reads of one video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from sound2scene.data.batches.sampler import Draw, augmentation_seed
from sound2scene.data.video.decode import Decoded, decode
from sound2scene.data.video.errors import VideoError
from sound2scene.moments import Known, MomentBatch, Moments, WholeVideo, windows
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


class Look(NamedTuple):
    """What a localizer looks at.

    Attributes:
        side_px: Side of the square frames.
        window_s: Length of the sound around a frame.
    """

    side_px: int
    window_s: float


def read_moments(key: str, path: str | Path, side_px: int) -> Moments:
    """Decode a video: its frames at 10 per second, squeezed to a square, and its sound.

    Raises:
        VideoError: If it cannot be read; the kind says why.
    """
    return as_moments(key, decode(Path(path), side_px))


def as_moments(key: str, decoded: Decoded) -> Moments:
    """A decoded video as tensors."""
    second_S, shown_S, waveform_T = map(
        torch.from_numpy, (decoded.second_S, decoded.shown_S, decoded.waveform_T)
    )
    frames_UCHW = torch.from_numpy(decoded.frames_UHWC).permute(0, 3, 1, 2)
    return Moments(key, second_S, frames_UCHW, waveform_T, shown_S)


class _Drawn(NamedTuple):
    key: str
    label: int
    frames_MCHW: Tensor
    window_MT: Tensor
    rejected: list[tuple[str, str]]


class MomentReader(Dataset[_Drawn]):
    """Draws moments from videos, to train on.

    Args:
        entries: Videos of the split.
        classes: Class names in the order of their indices.
        look: What the network looks at.
        moments: Frames to draw from each video, one from each of as many equal parts.
        seed: With the epoch and the video's position, seeds the draw.
    """

    def __init__(
        self, entries: Sequence[Entry], classes: Sequence[str], look: Look, moments: int, seed: int = 0
    ) -> None:
        self.entries, self.look, self.moments, self.seed = entries, look, moments, seed
        self.number = {name: index for index, name in enumerate(classes)}

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, draw: Draw) -> _Drawn:
        dice = torch.Generator().manual_seed(augmentation_seed(self.seed, draw))
        rejected: list[tuple[str, str]] = []
        for step in range(min(_TRIES, len(self))):
            entry = self.entries[(draw.position + step) % len(self)]
            try:
                found = read_moments(entry.key, entry.path, self.look.side_px)
            except VideoError as error:
                rejected.append((entry.key, error.kind))
                continue
            return self._drawn(found, self.number.get(entry.label or "", -1), rejected, dice)
        raise InputError(
            f"{self.entries[draw.position].path}: neither this video nor the {len(rejected) - 1} after it "
            "can be "
            f"read ({rejected[0][1]}); check the folder of the videos"
        )

    def _drawn(
        self, found: Moments, label: int, rejected: list[tuple[str, str]], dice: torch.Generator
    ) -> _Drawn:
        part_M = (torch.arange(self.moments) + torch.rand(self.moments, generator=dice)) / self.moments
        # float32 may round the last share up to 1.
        step_M = (part_M * len(found.second_S)).long().clamp(max=len(found.second_S) - 1)
        frames_MCHW = found.frames_at(step_M)
        if torch.rand((), generator=dice) < 0.5:
            frames_MCHW = frames_MCHW.flip(-1)
        window_MT = windows(found.waveform_T, found.second_S[step_M], self.look.window_s)
        return _Drawn(found.key, label, frames_MCHW, window_MT, rejected)

    def collate(self, items: list[_Drawn]) -> MomentBatch:
        """Draws to a batch."""
        key, label, frames, sounds, rejected = zip(*items, strict=True)
        lost = [entry for found in rejected for entry in found]
        return MomentBatch(list(key), torch.tensor(label), torch.stack(frames), torch.stack(sounds), lost)


class VideoReader(Dataset[WholeVideo]):
    """Reads whole videos, to measure on.

    Args:
        entries: Videos of the split.
        classes: Class names in the order of their indices.
        look: What the network looks at.
    """

    def __init__(self, entries: Sequence[Entry], classes: Sequence[str], look: Look) -> None:
        self.entries, self.look = entries, look
        self.number = {name: index for index, name in enumerate(classes)}

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, draw: Draw) -> WholeVideo:
        entry = self.entries[draw.position]
        label = self.number.get(entry.label or "", -1)
        try:
            moments = read_moments(entry.key, entry.path, self.look.side_px)
        except VideoError as error:
            return WholeVideo(None, entry.known, label, [(entry.key, error.kind)])
        return WholeVideo(moments, entry.known, label, [])

    def collate(self, items: list[WholeVideo]) -> WholeVideo:
        """The one video, as it is."""
        return items[0]
