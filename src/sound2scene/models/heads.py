"""Small networks that sit on an encoder while it trains and are left behind afterwards."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import normalize


class ProjectionHead(nn.Module):
    """SwAV's projection: linear, batch norm, ReLU, linear, unit rows (SwAV `src/resnet50.py`; 2048, 2048, 128 there).

    Args:
        in_dim: Width of the encoder's features.
        hidden_dim: Width between the two linear layers.
        out_dim: Width of the unit vectors.
    """

    def __init__(self, in_dim: int, hidden_dim: int, out_dim: int) -> None:
        super().__init__()
        # The order gives the layers the numbers that the published state dict has: 0, 1 and 3.
        self.layers = nn.Sequential(
            nn.Linear(in_dim, hidden_dim),
            nn.BatchNorm1d(hidden_dim),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_dim, out_dim),
        )

    def forward(self, z_image_BD: Tensor) -> Tensor:
        """Rows of unit length, (B, out_dim)."""
        return normalize(self.layers(z_image_BD), dim=1)
