"""Whitened features: what varies little counts as well (Jégou & Chum, ECCV 2012, §3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sound2scene.ranges import PART, WIDTH, check
from sound2scene.types import InputError


class Whitening(nn.Module):
    """Centres features and takes their strongest directions, each over a power of its standard deviation.

    Pooled features after a ReLU share a large mean, and in what is left the kind of an object outweighs its
    size and place by far. A network that is conditioned on unit vectors hardly sees what is outweighed.

    Args:
        width: Width P of the features.
        dimensions: Directions K that are kept.
        power: 0 only centres and turns, 1 gives all directions the same variance.

    Raises:
        InputError: If there are more dimensions than the width, or a number makes no sense.
    """

    mean_P: Tensor
    matrix_KP: Tensor

    def __init__(self, width: int, dimensions: int, power: float = 0.5) -> None:
        super().__init__()
        check("whitening", WIDTH, whitening=dimensions)
        check("whitening", PART, whitening_power=power)
        if dimensions > width:
            raise InputError(f"whitening is {dimensions} and the features have {width} dimensions; lower it")
        self.power = power
        self.register_buffer("mean_P", torch.zeros(width))
        self.register_buffer("matrix_KP", torch.zeros(dimensions, width))

    @property
    def fitted(self) -> bool:
        """Whether it knows any features."""
        return bool(self.matrix_KP.any())

    @torch.no_grad()
    def fit(self, feature_NP: Tensor) -> None:
        """Take mean and directions from features, (N, P), of the pictures that the network learns from.

        Raises:
            InputError: If the features vary in fewer directions than are wanted.
        """
        feature_NP = feature_NP.double()
        mean_P = feature_NP.mean(0)
        # Singular values of the centred features: the covariance's eigenvalues without squaring them.
        _, scale_K, direction_KP = torch.linalg.svd(feature_NP - mean_P, full_matrices=False)
        kept = len(self.matrix_KP)
        if (scale_K > scale_K[0] * 1e-9).sum() < kept:
            raise InputError(
                f"whitening is {kept} and {len(feature_NP)} pictures differ in fewer directions; lower it"
            )
        deviation_K, direction_KP = scale_K[:kept] / len(feature_NP) ** 0.5, direction_KP[:kept]
        # A direction has no sign of its own: its largest part points up, on every machine.
        sign_K1 = direction_KP.gather(1, direction_KP.abs().argmax(1, keepdim=True)).sign()
        self.mean_P.copy_(mean_P)
        self.matrix_KP.copy_(direction_KP * sign_K1 / deviation_K[:, None] ** self.power)

    def forward(self, feature_BP: Tensor) -> Tensor:
        """(B, P) to (B, K), in the order of the directions' variance."""
        whitened_BK: Tensor = (feature_BP - self.mean_P) @ self.matrix_KP.T
        return whitened_BK
