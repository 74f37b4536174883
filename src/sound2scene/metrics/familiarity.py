"""Whether a sound lies far from all that an encoder was validated on: the distance to its nearest neighbour.

Deep nearest neighbours (Sun, Ming, Zhu and Li, *Out-of-Distribution Detection with Deep Nearest Neighbors*,
ICML 2022, section 3): latents are brought to unit length, and one is called foreign whose distance to its
k-th neighbour in a bank of known latents is beyond that of 95 % of known ones. Here k is 1. So that it fits a
card, the bank has at most 256 held-out latents, projected to 64 dimensions at random, which keeps angles
roughly (Johnson and Lindenstrauss, 1984), and rounded to 8 bits.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import torch
from msgspec import Meta
from torch import Tensor
from torch.nn.functional import normalize

from sound2scene.records import Record
from sound2scene.types import InputError

KEY = "familiar"
ROWS = 256
DIM = 64
FEWEST = 32  # a quantile of 5 % of fewer is chance
KNOWN_SHARE = 0.95
_STEPS = 127  # of 8 bits with sign


@dataclass(frozen=True)
class Familiar:
    """What a card keeps of the latents that its encoder gives to held-out sounds.

    Attributes:
        bank: Unit rows (at most 256, 64) in units of 1/127, int8, as base64.
        cosine: Cosine to the nearest of the others that 95 % of these sounds reach.
        sounds: How many held-out sounds there were.
    """

    bank: Annotated[str, Meta(max_length=1 << 17)]
    cosine: Annotated[float, Meta(ge=-1.01, le=1.01)]
    sounds: Annotated[int, Meta(ge=1, le=2**62)]

    def as_note(self) -> dict[str, Any]:
        """Plain values for the card."""
        return asdict(self)

    def nearest(self, z_BD: Tensor) -> Tensor:
        """Cosine of each latent to the nearest of the bank, float64 (B,), on the CPU."""
        return (_projected(z_BD) @ _rows(self.bank).T).amax(1)

    def is_far(self, z_BD: Tensor) -> Tensor:
        """Whether each latent lies farther from the bank than 95 % of held-out sounds do, bool (B,)."""
        return self.nearest(z_BD) < self.cosine


_NOTE = Record(Familiar, "export the artifact again")


def of_latents(z_ND: Tensor) -> Familiar | None:
    """What a card is to keep of held-out latents; None of fewer than 32, or if one is not finite.

    Args:
        z_ND: Latents of any length, in the order of the split.
    """
    count = len(z_ND)
    if count < FEWEST or not torch.isfinite(z_ND).all():
        return None
    rows = torch.linspace(0, count - 1, min(count, ROWS), device=z_ND.device).round().long()
    bank_ND = (_projected(z_ND[rows]) * _STEPS).round().to(torch.int8)
    text = base64.b64encode(bank_ND.numpy().tobytes()).decode("ascii")
    known_ND = _rows(text)
    cosine_NN = known_ND @ known_ND.T
    nearest_N = cosine_NN.fill_diagonal_(-2).amax(1)
    return Familiar(text, float(torch.quantile(nearest_N, 1 - KNOWN_SHARE)), count)


def of_notes(notes: dict[str, Any], name: str) -> Familiar | None:
    """What a card keeps; None of one that keeps nothing, such as an old or an imported one.

    Args:
        notes: Notes of the card.
        name: What an error calls it.

    Raises:
        InputError: If the note is damaged.
    """
    if KEY not in notes:
        return None
    found = _NOTE.convert(notes[KEY], f"{name}: notes.{KEY}")
    try:
        _rows(found.bank)
    except (ValueError, binascii.Error):
        raise InputError(f"{name}: notes.{KEY}.bank is damaged; export the artifact again") from None
    return found


def _projected(z_BD: Tensor) -> Tensor:
    """Unit rows (B, 64), the same projection for every width of latents."""
    width = z_BD.shape[1]
    dice = torch.Generator().manual_seed(0)
    projection_DK = torch.randn(width, DIM, generator=dice).double()
    return normalize(normalize(z_BD.detach().cpu().double(), dim=1) @ projection_DK, dim=1)


def _rows(bank: str) -> Tensor:
    data = base64.b64decode(bank, validate=True)
    if not data or len(data) % DIM:
        raise ValueError("no rows")
    rows_ND = torch.frombuffer(bytearray(data), dtype=torch.int8).view(-1, DIM)
    return normalize(rows_ND.double(), dim=1)
