"""The loss of a reader of pictures: what is there, where and how large, and on what background."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, smooth_l1_loss

from sound2scene.ranges import POSITIVE, check
from sound2scene.types import Scene


class SceneLoss(nn.Module):
    """Cross-entropies of kinds (summed over them) and background, and smooth L1 distance of places.

    Places count where something is.

    Args:
        place: Weight of the places, whose distances are parts of a picture's side.
        beta: Distance, in picture sides, below which the smooth L1 distance is squared.

    Raises:
        InputError: If a number is not positive.
    """

    def __init__(self, place: float = 5.0, beta: float = 0.02) -> None:
        super().__init__()
        check("loss", POSITIVE, place=place, beta=beta)
        self.place, self.beta = place, beta

    def forward(self, read: tuple[Tensor, Tensor, Tensor], scene: Scene) -> Tensor:
        """Mean over B pictures; see `Reader.forward` for what is read."""
        logits_BK, place_BK3, background_BG = (part.float() for part in read)
        kinds = binary_cross_entropy_with_logits(logits_BK, scene.present_BK) * logits_BK.shape[1]
        distance_BK3 = smooth_l1_loss(place_BK3, scene.place_BK3, beta=self.beta, reduction="none")
        place = (distance_BK3.sum(2) * scene.present_BK).sum() / scene.present_BK.sum().clamp(min=1)
        loss: Tensor = kinds + self.place * place + cross_entropy(background_BG, scene.background_B)
        return loss
