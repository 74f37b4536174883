"""The image encoder: from a picture to its pooled features, the latent space of all other stages."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from sound2scene.models.backbones import initialise_resnet, timm_backbone
from sound2scene.models.whitening import Whitening


class ImageEncoder(nn.Module):
    """A backbone and its global average pooling, without a classifier or projection head.

    The default is SwAV's ResNet-50 (arXiv:2006.09882; SwAV `src/resnet50.py`, 23,508,032 parameters) with its
    initialisation: convolutions Kaiming normal, batch norms at 1 and 0. Its features pass a ReLU before
    pooling, so they are never negative.

    Args:
        backbone: Name of a timm network.
        backbone_options: Further arguments of the backbone's timm constructor.
        whitening: Whiten the features to that many dimensions (see `Whitening`); None, as published, leaves
            them.
        whitening_power: Power of the standard deviation by which each dimension is divided.

    Attributes:
        z_dim: Width of the features, 2048 for ResNet-50.
        pooled_dim: Width of the pooled features, before any whitening.
        arguments: Constructor arguments, which a card stores to build the network again.

    Raises:
        InputError: If timm does not know the backbone or an option, or the whitening asks for more dimensions
            than there are.
    """

    def __init__(
        self,
        backbone: str = "resnet50",
        backbone_options: dict[str, Any] | None = None,
        whitening: int | None = None,
        whitening_power: float = 0.5,
    ) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {"backbone": backbone, "backbone_options": backbone_options}
        self.backbone, self.pooled_dim = timm_backbone(backbone, backbone_options, in_chans=3)
        initialise_resnet(self.backbone, norm_std=0.0)
        self.z_dim, self.whitening = self.pooled_dim, None
        if whitening is not None:
            self.arguments |= {"whitening": whitening, "whitening_power": whitening_power}
            self.z_dim, self.whitening = whitening, Whitening(self.pooled_dim, whitening, whitening_power)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """z_image, (B, z_dim), not normalised to unit length.

        Args:
            image_BCHW: Pictures of any size from a preset of `sound2scene.images`, normalised as that does
                it.
        """
        z_image_BD = self.pooled(image_BCHW)
        return z_image_BD if self.whitening is None else self.whitening(z_image_BD)

    def pooled(self, image_BCHW: Tensor) -> Tensor:
        """Pooled features, (B, pooled_dim), before any whitening: what self-supervision works on."""
        pooled_BP: Tensor = self.backbone(image_BCHW)
        return pooled_BP
