"""From sound to the map of codes of its picture: the audio network of Pedersoli et al. (arXiv:2208.02337)."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from sound2scene.models.backbones import initialise_resnet, timm_backbone
from sound2scene.ranges import PART, WIDTH, Range, check
from sound2scene.types import CLIP_S, SAMPLE_RATE_HZ, InputError

KIND = "manifold-audio"
FFT, HOP = 2048, 256
FLOOR = 1e-10  # of the power, below which nothing is told apart
UNIT_DB = 80.0
_WINDOW = Range(between=(0.1, CLIP_S))


class MelPicture(nn.Module):
    """A sound as a square picture: 256 mel bands in decibels, resized (audio_manifold `mft.py`).

    Bands, Hann window of 2048 samples, hop of 256 and the division of decibels by 80 are published. Not told
    is what 0 dB is; here it is a power of 1, so that loudness is kept.

    Args:
        side: Height and width of the picture.
        mels: Mel bands (HTK's scale, triangles of height 1).
        window_s: Seconds in the middle of the clip that are heard. Published: 1 s around the frame. A method
            is handed a sound and no frame, so that the whole clip of 10 s is the default.

    Raises:
        InputError: If a number makes no sense.
    """

    _window: Tensor
    _bands_FM: Tensor

    def __init__(self, side: int = 256, mels: int = 256, window_s: float = CLIP_S) -> None:
        super().__init__()
        check("audio_network", WIDTH, side=side, mels=mels)
        check("audio_network", _WINDOW, window_s=window_s)
        self.side, self.samples = side, round(window_s * SAMPLE_RATE_HZ)
        from torchaudio.functional import melscale_fbanks

        # On the CPU: a network that is built without memory first looks at no values. The lowest of 256 bands
        # are narrower than the transform's bins and stay empty, as published.
        with torch.device("cpu"), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            bands_FM = melscale_fbanks(FFT // 2 + 1, 0.0, SAMPLE_RATE_HZ / 2, mels, SAMPLE_RATE_HZ)
        self.register_buffer("_window", torch.hann_window(FFT), persistent=False)
        self.register_buffer("_bands_FM", bands_FM, persistent=False)

    def forward(self, waveform_BT: Tensor) -> Tensor:
        """Decibels over 80, float32 (B, 1, side, side), of 16 kHz sounds in [-1, 1], (B, 160000).

        Low bands come first. A silent clip is -1.25 everywhere.
        """
        start = (waveform_BT.shape[1] - self.samples) // 2
        assert start >= 0, f"sounds of {waveform_BT.shape[1]} samples are shorter than the window"
        with torch.autocast(waveform_BT.device.type, enabled=False):
            part_BT = waveform_BT[:, start : start + self.samples].float()
            spectrum_BFT = torch.stft(part_BT, FFT, HOP, window=self._window, return_complex=True)
            power_BFT = torch.view_as_real(spectrum_BFT).square().sum(-1)
            mel_BFT = (power_BFT.mT @ self._bands_FM).mT
            level_BFT = mel_BFT.clamp(min=FLOOR).log10() * (10 / UNIT_DB)
        return interpolate(level_BFT[:, None], (self.side, self.side), mode="nearest")


class ManifoldAudio(nn.Module):
    """A one-channel backbone, three layers on its pooled features, and transposed convolutions to the grid.

    The defaults give the published network for one channel: 14,848,642 parameters. Of the biases that would
    give that number, the stem's or the last layer's, the last layer has it here: before a batch norm a bias
    does nothing.

    Args:
        grid: Height and width of the map of codes, a power of two.
        code_dim: Width of a codebook vector; transposed convolutions halve their width down to it.
        side: Height and width of the spectrogram's picture.
        mels: Mel bands.
        window_s: Seconds in the middle of the clip that are heard; see `MelPicture`.
        backbone: Name of a timm network.
        backbone_options: Further arguments of the backbone's timm constructor.
        dropout: Share of the channels that are dropped between the three layers.

    Attributes:
        arguments: Constructor arguments, which a card stores to build the network again.

    Raises:
        InputError: If timm does not know the backbone or an option, or a number makes no sense.
    """

    def __init__(
        self,
        grid: int = 32,
        code_dim: int = 64,
        side: int = 256,
        mels: int = 256,
        window_s: float = CLIP_S,
        backbone: str = "resnet18",
        backbone_options: dict[str, Any] | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        check("audio_network", WIDTH, grid=grid, code_dim=code_dim)
        check("audio_network", PART, dropout=dropout)
        if grid & (grid - 1):
            raise InputError(f"audio_network.grid is {grid}; set it to a power of two")
        self.arguments: dict[str, Any] = {"grid": grid, "code_dim": code_dim, "side": side, "mels": mels}
        self.arguments |= {"window_s": window_s, "backbone": backbone, "dropout": dropout}
        self.arguments |= {"backbone_options": backbone_options}
        self.grid, self.code_dim = grid, code_dim
        self.spectrogram = MelPicture(side, mels, window_s)
        self.norm = nn.BatchNorm2d(1)
        self.backbone, width = timm_backbone(backbone, backbone_options, in_chans=1)
        initialise_resnet(self.backbone, norm_std=0.0)
        layers: list[nn.Module] = []
        for number in range(3):
            layers += [nn.Dropout2d(dropout)] if number else []
            layers += [nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        for _ in range(grid.bit_length() - 1):
            inputs, width = width, max(width // 2, code_dim)
            layers += [
                nn.ConvTranspose2d(inputs, width, 4, 2, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
        self.head = nn.Sequential(*layers, nn.ConvTranspose2d(width, code_dim, 1))

    def forward(self, waveform_BT: Tensor) -> Tensor:
        """The map before quantisation, float32 (B, code_dim, grid, grid).

        Args:
            waveform_BT: 16 kHz mono sounds of 10 s in [-1, 1], (B, 160000).
        """
        with torch.no_grad():
            picture_B1HW = self.spectrogram(waveform_BT)
        pooled_BD = self.backbone(self.norm(picture_B1HW))
        z_BDHW: Tensor = self.head(pooled_BD[:, :, None, None])
        return z_BDHW.float()
