"""Self-attention over positions of an image (SA-GAN, arXiv:1805.08318; BigGAN-PyTorch `layers.py`)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, scaled_dot_product_attention

from sound2scene.models.spectral_norm import SNConv2d


class SelfAttention(nn.Module):
    """``gamma * attended + image``: each position attends to the 2x2 max-pooled positions; gamma starts at 0.

    The names `theta` (queries), `phi` (keys), `g` (values) and `o` (output) are those of the published state
    dicts.

    Args:
        channels: Channels C of the image. Queries and keys have C / 8 channels, values C / 2, at least one.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow, half = max(channels // 8, 1), max(channels // 2, 1)
        self.theta = SNConv2d(channels, narrow, 1, bias=False)
        self.phi = SNConv2d(channels, narrow, 1, bias=False)
        self.g = SNConv2d(channels, half, 1, bias=False)
        self.o = SNConv2d(half, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape; H and W are even."""
        query = _positions(self.theta(image_BCHW))
        key = _positions(max_pool2d(self.phi(image_BCHW), 2))
        value = _positions(max_pool2d(self.g(image_BCHW), 2))
        # The published scores are not divided by the root of their width.
        attended = scaled_dot_product_attention(query, key, value, scale=1.0)
        attended_BCHW = attended.squeeze(1).mT.reshape(len(image_BCHW), -1, *image_BCHW.shape[2:])
        result_BCHW: Tensor = self.gamma * self.o(attended_BCHW) + image_BCHW
        return result_BCHW


def _positions(image_BCHW: Tensor) -> Tensor:
    """(B, 1, H * W, C): positions as the tokens of one head."""
    return image_BCHW.flatten(2).mT.unsqueeze(1)
