"""Losses of the baseline by Pedersoli et al. (arXiv:2208.02337; audio_manifold `vq.py`, `train.py`)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from sound2scene.ranges import PLENTY, RATE, check


class CodebookLoss(nn.Module):
    """``mean (q - sg(z))^2 + commitment * mean (z - sg(q))^2``, sg being the stop of a gradient.

    The first part moves the codebook to what the encoder says, the second keeps the encoder near its codes
    (van den Oord et al., arXiv:1711.00937, eq. 3).

    Args:
        commitment: Weight of the second part.

    Raises:
        InputError: If it is negative.
    """

    def __init__(self, commitment: float = 0.25) -> None:
        super().__init__()
        check("codebook_loss", RATE, commitment=commitment)
        self.commitment = commitment

    def forward(self, z_BDHW: Tensor, code_BDHW: Tensor) -> Tensor:
        """Mean over all entries of maps before (z) and after (q) quantisation."""
        z_BDHW, code_BDHW = z_BDHW.float(), code_BDHW.float()
        follow, commit = mse_loss(code_BDHW, z_BDHW.detach()), mse_loss(z_BDHW, code_BDHW.detach())
        return follow + self.commitment * commit


class HardestMean(nn.Module):
    """Mean error of the examples of a batch, or of its hardest ones alone.

    Args:
        hardest: How many of the global batch count, those of the largest error; None for all, the default,
            since the published number is not known.

    Raises:
        InputError: If it is below 1.
    """

    def __init__(self, hardest: int | None = None) -> None:
        super().__init__()
        check("error", PLENTY, hardest=hardest)
        self.hardest = hardest

    def forward(self, error_G: Tensor) -> Tensor:
        """Mean of errors, one for each of G examples; a batch with fewer than `hardest` counts whole."""
        if self.hardest is None or self.hardest >= len(error_G):
            return error_G.mean()
        return torch.topk(error_G, self.hardest).values.mean()


def squared_errors(made_B: Tensor, true_B: Tensor) -> Tensor:
    """Mean squared difference of each of B examples, (B,) float32, over whatever axes follow."""
    return (made_B.float() - true_B.float()).square().flatten(1).mean(1)
