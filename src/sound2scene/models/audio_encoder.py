"""The audio encoder: from a spectrogram to a point of the image latent space (paper §2.2)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sound2scene.models.backbones import initialise_resnet, timm_backbone
from sound2scene.ranges import WIDTH, check


class AudioEncoder(nn.Module):
    """A one-channel backbone, average pooling, one linear layer, and the ReLU of the published weights.

    The defaults give the published network (Sound2Scene `model.py`, `models/resnet.py`: ResNet-18, 12,220,864
    parameters) with its initialisation: convolutions Kaiming normal, batch-norm weights N(1, 0.02), the
    linear layer as in torch.

    Args:
        z_dim: Width of the latent space.
        backbone: Name of a timm network.
        backbone_options: Further arguments of the backbone's timm constructor.
        final_relu: Apply a ReLU to the output. The paper's text has none, but the published code and weights
            do.

    Attributes:
        z_dim: Width of the latent space.
        arguments: Constructor arguments, which a card stores to build the network again.

    Raises:
        InputError: If timm does not know the backbone or an option, or the width makes no sense.
    """

    def __init__(
        self,
        z_dim: int = 2048,
        backbone: str = "resnet18",
        backbone_options: dict[str, Any] | None = None,
        final_relu: bool = True,
    ) -> None:
        super().__init__()
        check("audio_encoder", WIDTH, z_dim=z_dim)
        self.arguments = {
            "z_dim": z_dim,
            "backbone": backbone,
            "backbone_options": backbone_options,
            "final_relu": final_relu,
        }
        self.z_dim = z_dim
        self.backbone, width = timm_backbone(backbone, backbone_options, in_chans=1)
        initialise_resnet(self.backbone, norm_std=0.02)
        self.fc = nn.Linear(width, z_dim)
        self.final_relu = final_relu

    def pooled(self, spectrogram_BFT: Tensor) -> Tensor:
        """The backbone's pooled features before the linear layer, (B, 512) for ResNet-18."""
        assert spectrogram_BFT.ndim in (3, 4), (
            f"spectrogram is (B, F, T) or (B, 1, F, T), not {spectrogram_BFT.shape}"
        )
        if spectrogram_BFT.ndim == 3:
            spectrogram_BFT = spectrogram_BFT[:, None]
        pooled_BD: Tensor = self.backbone(spectrogram_BFT)
        return pooled_BD

    def forward(self, spectrogram_BFT: Tensor) -> Tensor:
        """z_audio, (B, z_dim), not normalised; never negative with `final_relu`.

        Args:
            spectrogram_BFT: Standardised log spectrograms, (B, F, T) or (B, 1, F, T); (B, 257, 1004) under
                the preset `paper`.
        """
        z_audio_BD: Tensor = self.fc(self.pooled(spectrogram_BFT))
        return torch.relu(z_audio_BD) if self.final_relu else z_audio_BD
