"""S2I's densely connected generator: from an embedding of sound to a picture (Fanzeres and Nadeu, A.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sound2scene.models.conditional_norm import OutputBatchNorm, synchronise_norms
from sound2scene.models.dropout import drop_channels, split_chance
from sound2scene.ranges import WIDTH, check
from sound2scene.types import InputError

BLOCKS = (
    (512, 512, 512),
    (512, 416, 352),
    (304, 256, 224),
    (192, 176, 160),
    (144, 128, 112),
    (96, 80, 64),
)
_RATES = (0.15, 0.13, 0.11, 0.09, 0.07, 0.05)
_FIRST = ({"kernel_size": 2}, {"kernel_size": 3}, {"kernel_size": 3})  # sides 1 to 2, 4 and 6
_DOUBLING = {"kernel_size": 4, "stride": 2, "padding": 1}


class DenseBlock(nn.Module):
    """Three layers a, b and c: b sees a, c sees both, and all three are handed on side by side.

    Each is a transposed convolution of 3 x 3, a batch norm and a ReLU.

    Args:
        channels: Channels of what comes in.
        widths: Channels of the three layers.
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        one, two, three = widths
        shape = {"kernel_size": 3, "padding": 1}
        self.first = _layer(channels, one, shape)
        self.second = _layer(one, two, shape)
        self.third = _layer(one + two, three, shape)

    def forward(self, inner_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) to (B, sum of widths, H, W)."""
        a_BCHW = self.first(inner_BCHW)
        b_BCHW = self.second(a_BCHW)
        ab_BCHW = torch.cat([a_BCHW, b_BCHW], dim=1)
        return torch.cat([ab_BCHW, self.third(ab_BCHW)], dim=1)


class DenseGenerator(nn.Module):
    """Dense blocks at sides 2, 4, 6, 12, 24 and 48, with a transition before each and after the last.

    A transition is a transposed convolution, a batch norm and a ReLU (the last: a tanh), and all but the last
    drop channels, in training and at test alike, by a chance that they are given. There is no other noise,
    for the released share of it is 0. Batch norms take their statistics over all processes. The defaults
    give the published sizes; weights start as torch starts them (unknown).

    Args:
        embedding_dim: Width E of the embedding.
        stem: Channels of the first transition.
        blocks: Channels of the three layers of each block, four blocks at least. Six draw 96 px; with each
            block less the side is half of that.

    Attributes:
        embedding_dim: Width E of the embedding.
        resolution: Height and width of the pictures.
        dropout_dim: Channels Z that may be dropped.
        arguments: Constructor arguments, which a card stores to build the network again.

    Raises:
        InputError: If a number makes no sense.
    """

    def __init__(
        self,
        embedding_dim: int = 512,
        stem: int = 512,
        blocks: Sequence[Sequence[int]] = BLOCKS,
    ) -> None:
        super().__init__()
        check("s2i_generator", WIDTH, embedding_dim=embedding_dim, stem=stem)
        if not 4 <= len(blocks) <= len(BLOCKS) or any(len(block) != 3 for block in blocks):
            raise InputError(
                f"s2i_generator.blocks is {str(list(blocks))[:60]}; give 4 to {len(BLOCKS)} of 3 widths each"
            )
        for width in (width for block in blocks for width in block):
            check("s2i_generator", WIDTH, blocks=width)
        self.arguments = {
            "embedding_dim": embedding_dim,
            "stem": stem,
            "blocks": [list(block) for block in blocks],
        }
        self.embedding_dim, self.resolution = embedding_dim, 6 * 2 ** (len(blocks) - 2)
        self.dropped = [stem, *(block[-1] for block in blocks[:-1])]
        self.dropout_dim = sum(self.dropped)
        shapes = [*_FIRST, *[_DOUBLING] * (len(blocks) - len(_FIRST))]
        channels = [embedding_dim, *(sum(block) for block in blocks)]
        self.transitions = nn.ModuleList(
            _layer(channels[n], self.dropped[n], shapes[n]) for n in range(len(blocks))
        )
        self.blocks = nn.ModuleList(map(DenseBlock, self.dropped, blocks))
        self.output = _layer(channels[-1], 3, _DOUBLING, nn.Tanh())
        synchronise_norms(self)

    def forward(self, embedding_BE: Tensor, chance_BZ: Tensor | None) -> Tensor:
        """Pictures (B, 3, resolution, resolution) in [-1, 1].

        Args:
            embedding_BE: Embeddings of sounds.
            chance_BZ: Uniform numbers from [0, 1), which say what is dropped; None drops nothing.
        """
        inner_BCHW = embedding_BE[:, :, None, None]
        chances = split_chance(chance_BZ, self.dropped)
        for transition, block, rate, chance_BC in zip(
            self.transitions, self.blocks, _RATES, chances, strict=False
        ):
            inner_BCHW = transition(inner_BCHW)
            if chance_BC is not None:
                inner_BCHW = drop_channels(inner_BCHW, chance_BC, rate)
            inner_BCHW = block(inner_BCHW)
        image_BCHW: Tensor = self.output(inner_BCHW)
        return image_BCHW


def _layer(channels: int, width: int, shape: dict[str, int], last: nn.Module | None = None) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(
            channels,
            width,
            shape["kernel_size"],
            stride=shape.get("stride", 1),
            padding=shape.get("padding", 0),
        ),
        OutputBatchNorm(width),
        last or nn.ReLU(),
    )
