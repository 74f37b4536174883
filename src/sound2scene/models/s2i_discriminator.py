"""S2I's discriminator: how real a picture is for a sound, from -1 to 1 (Fanzeres and Nadeu, A.4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sound2scene.models.conditional_norm import OutputBatchNorm, synchronise_norms
from sound2scene.models.dropout import drop_channels, split_chance
from sound2scene.ranges import SHARE, WIDTH, check
from sound2scene.types import InputError

WIDTHS = (96, 192, 192, 208, 224, 240, *[256] * 6)


class ConvDiscriminator(nn.Module):
    """Convolutions without bias or padding down to 2 x 2, where the embedding joins, and one to a score.

    Each is followed by a batch norm, the inner ones by a ReLU and dropped channels, the last by a tanh. As
    the last norm is over scores, pictures are told apart inside a batch: real and drawn ones have to pass
    together. Batch norms take their statistics over all processes.

    Args:
        resolution: Height and width of the pictures.
        embedding_dim: Width E of the embedding, a multiple of 4.
        widths: Channels of the layers; the first two halve the side, each other one takes 2 from it. Twelve
            for 96 px, six for 48, three for 24.
        conditional: Show the embedding, too; on in the published scheme.
        dropout: Share of the channels that is dropped after each inner layer.

    Attributes:
        dropout_dim: Channels Z that may be dropped.
        arguments: Constructor arguments.

    Raises:
        InputError: If a number makes no sense, or the widths do not lead from the resolution to 2 x 2.
    """

    def __init__(
        self,
        resolution: int = 96,
        embedding_dim: int = 512,
        widths: Sequence[int] = WIDTHS,
        conditional: bool = True,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        check("s2i_discriminator", WIDTH, resolution=resolution, embedding_dim=embedding_dim)
        check("s2i_discriminator", SHARE, dropout=dropout)
        for width in widths:
            check("s2i_discriminator", WIDTH, widths=width)
        if embedding_dim % 4:
            raise InputError(f"s2i_discriminator.embedding_dim is {embedding_dim}; give a multiple of 4")
        inner = (((resolution - 5) // 2 + 1) - 3) // 2 + 1  # side after the two layers of stride 2
        if len(widths) < 2 or inner - 2 * (len(widths) - 2) != 2:
            raise InputError(
                f"s2i_discriminator.widths has {len(widths)} numbers, which do not lead from {resolution} px "
                f"to 2; give {max(inner // 2 + 1, 2)}"
            )
        self.arguments = {
            "resolution": resolution,
            "embedding_dim": embedding_dim,
            "widths": list(widths),
            "conditional": conditional,
            "dropout": dropout,
        }
        self.resolution, self.embedding_dim = resolution, embedding_dim
        self.conditional, self.dropout = conditional, dropout
        self.dropped, self.dropout_dim = list(widths), sum(widths)
        channels = [3, *widths]
        kernels = [(5, 2), (3, 2), *[(3, 1)] * (len(widths) - 2)]
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels[n], width, *kernels[n], bias=False), OutputBatchNorm(width), nn.ReLU()
            )
            for n, width in enumerate(widths)
        )
        joined = widths[-1] + (embedding_dim // 4 if conditional else 0)
        self.output = nn.Sequential(nn.Conv2d(joined, 1, 2, bias=False), OutputBatchNorm(1), nn.Tanh())
        synchronise_norms(self)

    def forward(self, image_BCHW: Tensor, embedding_BE: Tensor, chance_BZ: Tensor | None) -> Tensor:
        """Scores (B,) in [-1, 1]; higher means more real.

        Args:
            image_BCHW: Pictures in [-1, 1], real and drawn ones together.
            embedding_BE: Embedding of the sound of each.
            chance_BZ: Uniform numbers from [0, 1), which say what is dropped; None drops nothing.
        """
        inner_BCHW = image_BCHW
        for layer, chance_BC in zip(self.layers, split_chance(chance_BZ, self.dropped), strict=True):
            inner_BCHW = layer(inner_BCHW)
            if chance_BC is not None:
                inner_BCHW = drop_channels(inner_BCHW, chance_BC, self.dropout)
        if self.conditional:
            square_BCHW = embedding_BE.reshape(-1, self.embedding_dim // 4, 2, 2).to(inner_BCHW.dtype)
            inner_BCHW = torch.cat([inner_BCHW, square_BCHW], dim=1)
        score_BCHW: Tensor = self.output(inner_BCHW)
        return score_BCHW.flatten()
