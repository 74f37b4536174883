"""Contrastive alignment losses: symmetric InfoNCE on L2 distance (the paper's) and on cosine similarity.

Both take raw latents of G pairs and bring them to unit length themselves. Without a learnable scale the
paper's loss has no temperature, so its values lie in a narrow band, whose ends :meth:`chance` and
:meth:`floor` give.

They compute in float64, which neither bf16 autocast nor TF32 touches. The distance of pairs that nearly meet,
a root of a difference of near-equals, then keeps its digits and its gradient (float32 loses 2 % of the
gradient at a distance of 0.002 and most of it at 0.0002).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from sound2scene.types import InputError

Direction = Literal["both", "audio_to_image", "image_to_audio"]


class _SymmetricInfoNCE(nn.Module):
    """Cross-entropy of the scaled similarities, in both directions or one, with the diagonal as target."""

    log_scale: Tensor

    def __init__(self, temperature: float, learnable: bool, direction: Direction) -> None:
        super().__init__()
        self.direction = direction
        if not 0 < temperature < math.inf:
            raise InputError(
                f"temperature is {temperature}; choose a finite one above 0 (published: 1, CLIP: 0.07)"
            )
        log_scale = torch.tensor(-math.log(temperature))
        # Only a scale that the optimizer owns is trained: the published code declares one that nothing moves.
        if learnable:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)

    def _symmetric(self, similarity_GG: Tensor) -> Tensor:
        logits_GG = similarity_GG * self.log_scale.exp()
        target_G = torch.arange(len(logits_GG), device=logits_GG.device)
        if self.direction == "both":
            loss = (cross_entropy(logits_GG, target_G) + cross_entropy(logits_GG.T, target_G)) / 2
        else:
            one_sided_GG = logits_GG if self.direction == "image_to_audio" else logits_GG.T
            loss = cross_entropy(one_sided_GG, target_G)
        return loss.float()

    def chance(self, pairs: int) -> float:
        """Loss if all distances are equal: ln G."""
        return math.log(pairs)

    def _floor(self, pairs: int, gap: float) -> float:
        return math.log1p((pairs - 1) * math.exp(-gap * float(self.log_scale.detach().exp())))


class L2InfoNCE(_SymmetricInfoNCE):
    """Symmetric InfoNCE on the L2 distance of unit vectors (paper Eq. 1, 2): logits ``-d / temperature``.

    Args:
        temperature: Divisor of the distance; 1, as published, is the same as none.
        learnable: Let the optimizer move the logarithm of the temperature, as CLIP does.
        direction: `audio_to_image` asks each sound for its picture alone, `image_to_audio` the other way
            round.
        unit: Bring latents to unit length first, as published.
    """

    def __init__(
        self,
        temperature: float = 1.0,
        learnable: bool = False,
        direction: Direction = "both",
        unit: bool = True,
    ) -> None:
        super().__init__(temperature, learnable, direction)
        self.unit = unit

    def forward(self, z_audio_GD: Tensor, z_image_GD: Tensor) -> Tensor:
        """Mean over G pairs; row i of one belongs to row i of the other."""
        scaled = _unit if self.unit else _exact
        return self._symmetric(-torch.cdist(scaled(z_image_GD), scaled(z_audio_GD)))

    def floor(self, pairs: int) -> float:
        """Loss if pairs coincide and all others are orthogonal, the most that non-negative vectors can be.

        Of latents of any length, which may be as far apart as they like, it is 0.
        """
        return self._floor(pairs, math.sqrt(2) if self.unit else math.inf)


class CosineInfoNCE(_SymmetricInfoNCE):
    """Symmetric InfoNCE on cosine similarity: logits are ``cos / temperature`` as in CLIP.

    Args:
        temperature: Divisor of the cosine; CLIP starts at 0.07.
        learnable: Let the optimizer move the logarithm of the temperature.
        direction: `audio_to_image` asks each sound for its picture alone, `image_to_audio` the other way
            round.
    """

    def __init__(
        self, temperature: float = 0.07, learnable: bool = False, direction: Direction = "both"
    ) -> None:
        super().__init__(temperature, learnable, direction)

    def forward(self, z_audio_GD: Tensor, z_image_GD: Tensor) -> Tensor:
        """Mean over G pairs; row i of one belongs to row i of the other."""
        return self._symmetric(_unit(z_image_GD) @ _unit(z_audio_GD).T)

    def floor(self, pairs: int) -> float:
        """Loss if pairs coincide and all others are orthogonal."""
        return self._floor(pairs, 1.0)


def _unit(z_GD: Tensor) -> Tensor:
    return normalize(_exact(z_GD), dim=1)


def _exact(z_GD: Tensor) -> Tensor:
    # MPS has no float64.
    return z_GD.to(torch.float32 if z_GD.device.type == "mps" else torch.float64)
