"""IC-GAN's generator with the BigGAN backbone: from noise and an image feature to a picture.

Names and shapes are those of the published checkpoints (facebookresearch/ic_gan, `BigGAN_PyTorch/BigGAN.py`),
except for their embedding of labels, which is never used.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from sound2scene.models.attention import SelfAttention
from sound2scene.models.conditional_norm import ConditionalBatchNorm, OutputBatchNorm
from sound2scene.models.spectral_norm import SNConv2d, SNLinear, fold
from sound2scene.ranges import CHANNELS, WIDTH, check
from sound2scene.types import InputError

# Channels before the first block and after each, in units of the width; each block doubles the size, starting
# from 4x4. The row for 32 px is BigGAN-PyTorch's; IC-GAN has no checkpoint of that size.
WIDTHS = {
    32: (4, 4, 4, 4),
    64: (16, 16, 8, 4, 2),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
}
_START = 4


class GeneratorBlock(nn.Module):
    """A residual block that doubles height and width, with two conditional batch norms.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        condition_dim: Width of the condition.
    """

    def __init__(self, in_channels: int, out_channels: int, condition_dim: int) -> None:
        super().__init__()
        self.conv1 = SNConv2d(in_channels, out_channels, 3)
        self.conv2 = SNConv2d(out_channels, out_channels, 3)
        self.conv_sc = SNConv2d(in_channels, out_channels, 1)
        self.bn1 = ConditionalBatchNorm(in_channels, condition_dim)
        self.bn2 = ConditionalBatchNorm(out_channels, condition_dim)

    def forward(self, image_BCHW: Tensor, condition_BD: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, 2H, 2W)."""
        inner_BCHW = self.conv1(interpolate(relu(self.bn1(image_BCHW, condition_BD)), scale_factor=2))
        inner_BCHW = self.conv2(relu(self.bn2(inner_BCHW, condition_BD)))
        # Published the other way round; 1x1 convolution and copying commute, and this takes a quarter.
        shortcut_BCHW = interpolate(self.conv_sc(image_BCHW), scale_factor=2)
        result_BCHW: Tensor = inner_BCHW + shortcut_BCHW
        return result_BCHW


class Generator(nn.Module):
    """Draws a picture like one whose feature is given (IC-GAN, arXiv:2109.05070; BigGAN, arXiv:1809.11096).

    The noise is cut into one chunk for the first layer and one per block; a block is conditioned on its chunk
    and the embedded feature. Weights start orthogonal.

    Args:
        resolution: Height and width of the picture: 32, 64, 128 or 256.
        channels: Unit of the numbers of channels; published: 96 for 128 and 256 px, 64 for 64 px.
        attention: Sizes after which self-attention follows; published: 64 for 128 and 256 px, 32 for 64 px.
        z_dim: Desired width of the noise, rounded down to a multiple of the number of chunks.
        feature_dim: Width of the embedded feature.
        z_image_dim: Width of the image feature.
        feature_at_start: The first layer sees the embedded feature beside its noise, as in BigGAN-deep
            (arXiv:1809.11096, appendix B), so that it lays out what lies where; IC-GAN's sees noise alone.

    Attributes:
        z_dim: Width of the noise that `forward` takes.
        z_image_dim: Width of the image feature.
        resolution: Height and width of the picture.
        arguments: Constructor arguments, which a card stores to build the network again.

    Raises:
        InputError: If there is no such resolution, no block gives a size of `attention`, or z_dim is smaller
            than the number of chunks, or a width makes no sense.
    """

    is_folded = False

    def __init__(
        self,
        resolution: int = 128,
        channels: int = 96,
        attention: Sequence[int] = (64,),
        z_dim: int = 120,
        feature_dim: int = 512,
        z_image_dim: int = 2048,
        feature_at_start: bool = False,
    ) -> None:
        super().__init__()
        check("generator", CHANNELS, channels=channels)
        check("generator", WIDTH, z_dim=z_dim, feature_dim=feature_dim, z_image_dim=z_image_dim)
        if resolution not in WIDTHS:
            raise InputError(f"resolution is {resolution}; choose one of {', '.join(map(str, WIDTHS))}")
        widths = [channels * factor for factor in WIDTHS[resolution]]
        sizes = [_START << block for block in range(1, len(widths))]
        if unknown := sorted(set(attention) - set(sizes)):
            raise InputError(f"attention names {unknown[0]}, which no block gives; choose among {sizes}")
        if z_dim < len(widths):
            raise InputError(f"z_dim is {z_dim}, too few for {len(widths)} chunks; choose a larger one")
        self.arguments = {
            "resolution": resolution,
            "channels": channels,
            "attention": list(attention),
            "z_dim": z_dim,
            "feature_dim": feature_dim,
            "z_image_dim": z_image_dim,
        }
        if feature_at_start:  # what fingerprints were taken before it came must go on to hold
            self.arguments["feature_at_start"] = True
        self.resolution, self.z_image_dim, self._chunk = resolution, z_image_dim, z_dim // len(widths)
        self.feature_at_start = feature_at_start
        self.z_dim = self._chunk * len(widths)
        self.shared_feat = SNLinear(z_image_dim, feature_dim)
        seen = self._chunk + (feature_dim if feature_at_start else 0)
        self.linear = SNLinear(seen, widths[0] * _START**2)
        self.blocks = nn.ModuleList()
        for before, after, size in zip(widths, widths[1:], sizes, strict=False):
            block = nn.ModuleList([GeneratorBlock(before, after, feature_dim + self._chunk)])
            self.blocks.append(block.append(SelfAttention(after)) if size in attention else block)
        self.output_layer = nn.Sequential(OutputBatchNorm(widths[-1]), nn.ReLU(), SNConv2d(widths[-1], 3, 3))

    def forward(self, z_BZ: Tensor, z_image_BD: Tensor) -> Tensor:
        """Pictures, (B, 3, resolution, resolution), float32, RGB in [-1, 1].

        Args:
            z_BZ: Standard normal noise, (B, z_dim).
            z_image_BD: Image features, (B, z_image_dim), in rows of unit length; the caller normalises them.
        """
        assert z_BZ.shape[1:] == (self.z_dim,), f"noise is {tuple(z_BZ.shape)}, not (B, {self.z_dim})"
        feature_BD = self.shared_feat(z_image_BD)
        first_BZ, *chunks = torch.split(z_BZ, self._chunk, dim=1)
        if self.feature_at_start:
            first_BZ = torch.cat([first_BZ.to(feature_BD.dtype), feature_BD], dim=1)
        image_BCHW = self.linear(first_BZ).unflatten(1, (-1, _START, _START))
        for block, chunk_BZ in zip(self.blocks, chunks, strict=True):
            first, *rest = block.children()
            image_BCHW = first(image_BCHW, torch.cat([feature_BD, chunk_BZ.to(feature_BD.dtype)], dim=1))
            for layer in rest:
                image_BCHW = layer(image_BCHW)
        image_BCHW = self.output_layer(image_BCHW)
        # bf16 has fewer grey values than eight bits can hold.
        return torch.tanh(image_BCHW.to(torch.promote_types(image_BCHW.dtype, torch.float32)))

    def folded(self) -> Generator:
        """A copy for inference: the same pictures without the power steps of spectral normalisation.

        It cannot be folded again, trained or written as an artifact.
        """
        folded = fold(self)
        assert isinstance(folded, Generator)
        folded.is_folded = True
        return folded
