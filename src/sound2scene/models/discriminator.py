"""IC-GAN's discriminator with the BigGAN backbone: is a picture real, and near the one with a given feature?

Names and shapes are those of the published checkpoints (facebookresearch/ic_gan, `BigGAN_PyTorch/BigGAN.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu

from sound2scene.models.attention import SelfAttention
from sound2scene.models.spectral_norm import SNConv2d, SNLinear
from sound2scene.ranges import CHANNELS, WIDTH, check
from sound2scene.types import InputError

# Channels after each block, in units of the width, and the number of first blocks that halve the size.
_WIDTHS = {
    32: ((4, 4, 4, 4), 2),
    64: ((1, 2, 4, 8, 16), 4),
    128: ((1, 2, 4, 8, 16, 16), 5),
    256: ((1, 2, 4, 8, 8, 16, 16), 6),
}


class DiscriminatorBlock(nn.Module):
    """A residual block without normalisation, which halves height and width if asked.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        first: Whether this is the first block, which sees a picture, to which no ReLU is applied.
        downsample: Halve height and width.
    """

    def __init__(self, in_channels: int, out_channels: int, first: bool, downsample: bool) -> None:
        super().__init__()
        self.first, self.downsample = first, downsample
        self.conv1 = SNConv2d(in_channels, out_channels, 3)
        self.conv2 = SNConv2d(out_channels, out_channels, 3)
        self.conv_sc = (
            SNConv2d(in_channels, out_channels, 1) if downsample or in_channels != out_channels else None
        )

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, H, W) or (B, out, H / 2, W / 2)."""
        inner_BCHW = self.conv2(relu(self.conv1(image_BCHW if self.first else relu(image_BCHW))))
        shortcut_BCHW = image_BCHW
        if self.downsample:
            # Published after the 1x1 convolution except in block 1; they commute, and this takes a quarter.
            inner_BCHW, shortcut_BCHW = avg_pool2d(inner_BCHW, 2), avg_pool2d(shortcut_BCHW, 2)
        if self.conv_sc is not None:
            shortcut_BCHW = self.conv_sc(shortcut_BCHW)
        result_BCHW: Tensor = inner_BCHW + shortcut_BCHW
        return result_BCHW


class Discriminator(nn.Module):
    """Scores a picture beside the feature of another, by projecting one onto the other (arXiv:1802.05637).

    Args:
        resolution: Height and width of the picture: 32, 64, 128 or 256.
        channels: Unit of the numbers of channels; published: 96 for 128 and 256 px, 64 for 64 px.
        attention: Sizes after which self-attention follows; published: 64 for 128 and 256 px, 32 for 64 px.
        z_image_dim: Width of the image feature.

    Attributes:
        arguments: Constructor arguments, which a card stores to build the network again.

    Raises:
        InputError: If there is no such resolution, no block gives a size of `attention`, or a width makes no
            sense.
    """

    def __init__(
        self,
        resolution: int = 128,
        channels: int = 96,
        attention: Sequence[int] = (64,),
        z_image_dim: int = 2048,
    ) -> None:
        super().__init__()
        check("discriminator", CHANNELS, channels=channels)
        check("discriminator", WIDTH, z_image_dim=z_image_dim)
        if resolution not in _WIDTHS:
            raise InputError(f"resolution is {resolution}; choose one of {', '.join(map(str, _WIDTHS))}")
        factors, halvings = _WIDTHS[resolution]
        sizes = [resolution >> halving for halving in range(1, halvings + 1)]
        if unknown := sorted(set(attention) - set(sizes)):
            raise InputError(f"attention names {unknown[0]}, which no block gives; choose among {sizes}")
        self.arguments = {
            "resolution": resolution,
            "channels": channels,
            "attention": list(attention),
            "z_image_dim": z_image_dim,
        }
        widths = [3, *(channels * factor for factor in factors)]
        self.blocks = nn.ModuleList()
        for index, (before, after) in enumerate(pairwise(widths)):
            halves = index < halvings
            block = nn.ModuleList([DiscriminatorBlock(before, after, index == 0, halves)])
            self.blocks.append(
                block.append(SelfAttention(after)) if halves and sizes[index] in attention else block
            )
        self.linear = SNLinear(widths[-1], 1)
        self.linear_feat = SNLinear(z_image_dim, widths[-1])

    def forward(self, image_BCHW: Tensor, z_image_BD: Tensor) -> Tensor:
        """Scores, (B,), float32, unbounded; the higher, the more real and the nearer to the feature.

        Args:
            image_BCHW: Pictures, (B, 3, resolution, resolution) in [-1, 1].
            z_image_BD: Image features, (B, z_image_dim), in rows of unit length; the caller normalises them.
        """
        for block in self.blocks:
            for layer in block.children():
                image_BCHW = layer(image_BCHW)
        # The sums run over up to 1536 channels, too many for bf16.
        image_BCHW = relu(image_BCHW)
        hidden_BD = image_BCHW.sum((2, 3), dtype=torch.promote_types(image_BCHW.dtype, torch.float32))
        nearness_B = (self.linear_feat(z_image_BD).to(hidden_BD.dtype) * hidden_BD).sum(1)
        score_B: Tensor = self.linear(hidden_BD).squeeze(1).to(hidden_BD.dtype) + nearness_B
        return score_B
