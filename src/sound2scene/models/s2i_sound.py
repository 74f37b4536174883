"""What S2I hears: a log-Mel spectrogram as a small grey picture of 8 bits (Fanzeres and Nadeu, A.1)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from sound2scene.ranges import POSITIVE, check
from sound2scene.spectrogram import LogMelSpectrogram
from sound2scene.types import InputError

BANDS, FRAMES = 128, 100
SECONDS = 10
_DB = 10 / math.log(10)

Span = Literal["clip", "middle", "loudest"]


class SoundImage(nn.Module):
    """Sounds of 10 s as pictures of 128 Mel bands and 100 frames, in 256 steps from -1 to 1.

    As published are size, number of steps and range; the transform is ours, for theirs is unknown: the bands
    of the preset `log_mel`, in dB above its floor. Unlike the presets nothing is standardised, so that
    loudness is plain to hear.

    Args:
        span: What of a clip is heard. `clip`: all of it, ten frames of 10 ms averaged into one; `middle`: its
            middle second, or `loudest`: its loudest whole second, frame by frame. Published is the second
            around the picture, which a sound alone does not tell.
        top_db: Level that becomes 1, in dB above the floor, which becomes -1.

    Raises:
        InputError: If the span is unknown or the level makes no sense.
    """

    def __init__(self, span: Span = "clip", top_db: float = 50.0) -> None:
        super().__init__()
        check("s2i_audio", POSITIVE, top_db=top_db)
        if span not in ("clip", "middle", "loudest"):
            raise InputError(f"s2i_audio.span is {span!r}; choose clip, middle or loudest")
        self.span, self.top_db = span, top_db
        self.spectrogram = LogMelSpectrogram()

    @torch.no_grad()
    def forward(self, waveform_BT: Tensor) -> Tensor:
        """Pictures (B, 1, 128, 100) in [-1, 1], float32, of 16 kHz sounds of 10 s in [-1, 1], (B, 160000)."""
        level_BFT = self.spectrogram.log_density(waveform_BT)[..., : SECONDS * FRAMES] * _DB
        assert level_BFT.shape[1:] == (BANDS, SECONDS * FRAMES), (
            f"sounds have 10 s at 16 kHz, not {waveform_BT.shape}"
        )
        share_BFT = (self._heard(level_BFT) / self.top_db).clamp(0, 1)
        return ((share_BFT * 255).round() / 127.5 - 1)[:, None]

    def _heard(self, level_BFT: Tensor) -> Tensor:
        if self.span == "clip":
            mean_BFT: Tensor = level_BFT.reshape(*level_BFT.shape[:2], FRAMES, SECONDS).mean(3)
            return mean_BFT
        if self.span == "middle":
            start = (SECONDS - 1) * FRAMES // 2
            return level_BFT[..., start : start + FRAMES]
        second_BSFT = level_BFT.reshape(*level_BFT.shape[:2], SECONDS, FRAMES).transpose(1, 2)
        loudest_B = second_BSFT.mean((2, 3)).argmax(1)
        loudest_BFT: Tensor = second_BSFT[torch.arange(len(level_BFT), device=level_BFT.device), loudest_B]
        return loudest_BFT
