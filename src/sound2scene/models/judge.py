"""The judge: a classifier of pictures, whose features and scores FID, IS and KID use (paper §3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sound2scene.models.backbones import timm_backbone
from sound2scene.models.pixels import prepared
from sound2scene.ranges import WIDTH, check
from sound2scene.types import Measured


class Judge(nn.Module):
    """A backbone with pooled features and a linear classifier; it takes pixels and resizes them itself.

    The default is Inception-v3, which the paper trains on VGGSound's frames for its FID and IS.

    Args:
        classes: Number of classes.
        side: Side in pixels to which pictures are resized, 299 for Inception-v3.
        backbone: Name of a timm network.
        backbone_options: Further arguments of the backbone's timm constructor.

    Attributes:
        feature_dim: Width of the features, 2048 for Inception-v3.
        protocol: Name of the network and the side, for the names of figures.
        arguments: Constructor arguments, which a card stores to build the network again.

    Raises:
        InputError: If timm does not know the backbone or an option, or a number makes no sense.
    """

    def __init__(
        self,
        classes: int,
        side: int = 299,
        backbone: str = "inception_v3",
        backbone_options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check("judge", WIDTH, classes=classes, side=side)
        self.arguments = {
            "classes": classes,
            "side": side,
            "backbone": backbone,
            "backbone_options": backbone_options,
        }
        self.classes, self.side, self.protocol = classes, side, f"judge-{backbone}_{side}px"
        self.backbone, self.feature_dim = timm_backbone(backbone, backbone_options, in_chans=3)
        self.classifier = nn.Linear(self.feature_dim, classes)

    def forward(self, pixels_BCHW: Tensor) -> Tensor:
        """Scores of the classes, (B, classes), of uint8 pictures of any size, (B, 3, H, W)."""
        scores_BK: Tensor = self.classifier(self.backbone(prepared(pixels_BCHW, self.side)))
        return scores_BK

    @torch.no_grad()
    def measure(self, pixels_BCHW: Tensor) -> Measured:
        """Features (B, feature_dim) and scores (B, classes) of uint8 pictures of any size, no gradient."""
        feature_BD = self.backbone(prepared(pixels_BCHW, self.side))
        return Measured(feature_BD.float(), self.classifier(feature_BD).float())
