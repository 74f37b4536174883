"""The image encoder: from a picture to its pooled features, the latent space of all other stages."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from sound2scene.models.backbones import initialise_resnet, timm_backbone


class ImageEncoder(nn.Module):
    """A backbone and its global average pooling, without a classifier or projection head.

    The default is SwAV's ResNet-50 (arXiv:2006.09882; SwAV `src/resnet50.py`, 23,508,032 parameters) with its
    initialisation: convolutions Kaiming normal, batch norms at 1 and 0. Its features pass a ReLU before
    pooling, so they are never negative.

    Args:
        backbone: Name of a timm network.
        backbone_options: Further arguments of the backbone's timm constructor.

    Attributes:
        z_dim: Width of the features, 2048 for ResNet-50.
        arguments: Constructor arguments, which a card stores to build the network again.

    Raises:
        InputError: If timm does not know the backbone or an option.
    """

    def __init__(self, backbone: str = "resnet50", backbone_options: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.arguments = {"backbone": backbone, "backbone_options": backbone_options}
        self.backbone, self.z_dim = timm_backbone(backbone, backbone_options, in_chans=3)
        initialise_resnet(self.backbone, norm_std=0.0)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """z_image, (B, z_dim), not normalised to unit length.

        Args:
            image_BCHW: Pictures of any size from a preset of `sound2scene.images`, normalised as that does
                it.
        """
        z_image_BD: Tensor = self.backbone(image_BCHW)
        return z_image_BD
