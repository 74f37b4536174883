"""S2I's audio autoencoder: from a spectrogram to an embedding and back (Fanzeres and Nadeu, stage 1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sound2scene.models.conditional_norm import OutputBatchNorm, synchronise_norms
from sound2scene.models.dropout import drop_channels, split_chance
from sound2scene.models.s2i_sound import SoundImage, Span
from sound2scene.ranges import WIDTH, check
from sound2scene.types import InputError

WIDTHS = (80, 176, 192, 224, 272, 304, 352, 416, 512, 512, 512, 512)
# Kernels and strides of the encoder; the decoder has those that lead back to the same sizes.
_DOWN = (((7, 5), 2), ((5, 3), 2), *[((5, 3), 1)] * 3, *[((3, 3), 1)] * 8)
_UP = (*[((3, 3), 1)] * 8, *[((5, 3), 1)] * 3, ((5, 4), 2), ((8, 6), 2))
_RATES = (0.15, 0.14, 0.13, 0.12, 0.11, 0.10, 0.10, 0.09, 0.08, 0.07, 0.06, 0.05)


class AudioAutoencoder(nn.Module):
    """Thirteen convolutions down to one embedding, and thirteen transposed ones back.

    Each is followed by a batch norm and a ReLU, the last of either half by a tanh. The decoder drops channels
    in training and at test alike, by a chance that it is given. Batch norms take their statistics over all
    processes. The defaults give the published sizes; weights start as torch starts them (unknown).

    Args:
        embedding_dim: Width E of the embedding; 128 to 2048 were published, too.
        widths: Channels of the encoder's first twelve layers; the decoder mirrors them.
        span: What of a clip is heard; see `sound2scene.models.s2i_sound.SoundImage`.
        top_db: Level that becomes 1; see there.

    Attributes:
        embedding_dim: Width E of the embedding.
        dropout_dim: Channels Z of the decoder that may be dropped.
        arguments: Constructor arguments, which a card stores to build the network again.

    Raises:
        InputError: If a number makes no sense, or there are not twelve widths.
    """

    def __init__(
        self,
        embedding_dim: int = 512,
        widths: Sequence[int] = WIDTHS,
        span: Span = "clip",
        top_db: float = 50.0,
    ) -> None:
        super().__init__()
        check("s2i_audio", WIDTH, embedding_dim=embedding_dim)
        if len(widths) != len(WIDTHS):
            raise InputError(f"s2i_audio.widths has {len(widths)} numbers; give {len(WIDTHS)}")
        for width in widths:
            check("s2i_audio", WIDTH, widths=width)
        self.arguments = {
            "embedding_dim": embedding_dim,
            "widths": list(widths),
            "span": span,
            "top_db": top_db,
        }
        self.embedding_dim, self.dropped = embedding_dim, [*reversed(widths)]
        self.dropout_dim = sum(widths)
        self.hear = SoundImage(span, top_db)
        down, up = [1, *widths, embedding_dim], [embedding_dim, *self.dropped, 1]
        self.encoder = nn.Sequential(
            *(
                _layer(nn.Conv2d(down[n], down[n + 1], *_DOWN[n]), last=n + 1 == len(_DOWN))
                for n in range(len(_DOWN))
            )
        )
        self.decoder = nn.ModuleList(
            _layer(nn.ConvTranspose2d(up[n], up[n + 1], *_UP[n]), last=n + 1 == len(_UP))
            for n in range(len(_UP))
        )
        synchronise_norms(self)

    def encode(self, sound_BCHW: Tensor) -> Tensor:
        """Embeddings in [-1, 1], (B, E), of what `hear` gives, (B, 1, 128, 100)."""
        embedding_BCHW: Tensor = self.encoder(sound_BCHW)
        return embedding_BCHW.flatten(1)

    @torch.no_grad()
    def embed(self, waveform_BT: Tensor) -> Tensor:
        """Embeddings in [-1, 1], (B, E), of 16 kHz sounds of 10 s in [-1, 1], (B, 160000), no gradient."""
        return self.encode(self.hear(waveform_BT))

    def decode(self, embedding_BE: Tensor, chance_BZ: Tensor | None) -> Tensor:
        """Spectrograms (B, 1, 128, 100) in [-1, 1] of embeddings.

        Args:
            embedding_BE: Embeddings.
            chance_BZ: Uniform numbers from [0, 1), which say what is dropped; None drops nothing.
        """
        inner_BCHW = embedding_BE[:, :, None, None]
        chances = split_chance(chance_BZ, self.dropped)
        for layer, rate, chance_BC in zip(self.decoder, _RATES, chances, strict=False):
            inner_BCHW = layer(inner_BCHW)
            if chance_BC is not None:
                inner_BCHW = drop_channels(inner_BCHW, chance_BC, rate)
        sound_BCHW: Tensor = self.decoder[-1](inner_BCHW)
        return sound_BCHW

    def forward(self, sound_BCHW: Tensor, chance_BZ: Tensor | None = None) -> Tensor:
        """What `hear` gives, through the embedding and back; see `decode`."""
        return self.decode(self.encode(sound_BCHW), chance_BZ)


def _layer(convolution: nn.Conv2d | nn.ConvTranspose2d, last: bool) -> nn.Sequential:
    norm = OutputBatchNorm(convolution.out_channels)
    return nn.Sequential(convolution, norm, nn.Tanh() if last else nn.ReLU())
