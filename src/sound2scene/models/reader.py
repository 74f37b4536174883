"""The reader: which kinds of object a picture shows, where and how large, and on what background."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sound2scene.models.backbones import timm_backbone
from sound2scene.models.pixels import prepared
from sound2scene.ranges import WIDTH, check
from sound2scene.types import Scene

PLACE = 3  # centre from the left, from the top, and diameter


class Reader(nn.Module):
    """A backbone with pooled features and a linear head; it takes pixels and resizes them itself.

    With it, claims about pictures (louder is larger, two sounds give two objects) become figures.

    Args:
        classes: Number K of kinds of object.
        backgrounds: Number G of kinds of background.
        side: Side in pixels to which pictures are resized.
        backbone: Name of a timm network.
        backbone_options: Further arguments of the backbone's timm constructor.

    Attributes:
        protocol: Name of the network and the side, for the names of figures.
        arguments: Constructor arguments, which a card stores to build the network again.

    Raises:
        InputError: If timm does not know the backbone or an option, or a number makes no sense.
    """

    def __init__(
        self,
        classes: int,
        backgrounds: int,
        side: int = 64,
        backbone: str = "resnet18",
        backbone_options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check("reader", WIDTH, classes=classes, backgrounds=backgrounds, side=side)
        self.arguments = {
            "classes": classes,
            "backgrounds": backgrounds,
            "side": side,
            "backbone": backbone,
            "backbone_options": backbone_options,
        }
        self.classes, self.backgrounds, self.side = classes, backgrounds, side
        self.protocol = f"reader-{backbone}_{side}px"
        self.backbone, width = timm_backbone(backbone, backbone_options, in_chans=3)
        self.head = nn.Linear(width, classes * (1 + PLACE) + backgrounds)

    def forward(self, pixels_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Raw answers for uint8 pictures of any size, (B, 3, H, W).

        Returns:
            Logits (B, K) of each kind being there, its place (B, K, 3) in picture sides, and logits (B, G) of
            the background's kind.
        """
        raw_BN = self.head(self.backbone(prepared(pixels_BCHW, self.side)))
        logits_BK, place_BN, background_BG = raw_BN.split(
            [self.classes, PLACE * self.classes, self.backgrounds], dim=1
        )
        return logits_BK, place_BN.unflatten(1, (self.classes, PLACE)) + 0.5, background_BG

    @torch.no_grad()
    def read(self, pixels_BCHW: Tensor) -> Scene:
        """What uint8 pictures of any size show; a kind is there if that is likelier than not, no gradient."""
        return self.shown(self(pixels_BCHW))

    @staticmethod
    def shown(raw: tuple[Tensor, Tensor, Tensor]) -> Scene:
        """What raw answers say."""
        logits_BK, place_BK3, background_BG = (part.float() for part in raw)
        present_BK = (logits_BK > 0).float()
        return Scene(present_BK, place_BK3 * present_BK[:, :, None], background_BG.argmax(1))
