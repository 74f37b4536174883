"""Regression losses of the paper's ablation: pairs attract each other, but nothing pushes others away."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, normalize


class L2(nn.Module):
    """Mean L2 distance of paired latents, ``||z_image - z_audio||`` as the paper writes its baseline.

    Args:
        unit: Bring both latents to unit length first.
    """

    def __init__(self, unit: bool = False) -> None:
        super().__init__()
        self.unit = unit

    def forward(self, z_audio_GD: Tensor, z_image_GD: Tensor) -> Tensor:
        """Mean over G pairs."""
        difference_GD = _scaled(z_image_GD, self.unit) - _scaled(z_audio_GD, self.unit)
        distance_G: Tensor = torch.linalg.vector_norm(difference_GD, dim=1)
        return distance_G.mean()


class MSE(nn.Module):
    """Mean squared error over all entries: the L2 baseline of the published code (no root, not normalised).

    Args:
        unit: Bring both latents to unit length first.
    """

    def __init__(self, unit: bool = False) -> None:
        super().__init__()
        self.unit = unit

    def forward(self, z_audio_GD: Tensor, z_image_GD: Tensor) -> Tensor:
        """Mean over G pairs and D entries."""
        return mse_loss(_scaled(z_audio_GD, self.unit), _scaled(z_image_GD, self.unit))


def _scaled(z_GD: Tensor, unit: bool) -> Tensor:
    return normalize(z_GD.float(), dim=1) if unit else z_GD.float()
