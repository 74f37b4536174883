"""SwAV's loss: predict the code of one view from the others; codes by Sinkhorn-Knopp (arXiv:2006.09882, Eq. 1 to 5).

Axes besides the legend: ``V`` views of a picture, ``A`` of them with codes (the first ones), ``K``
prototypes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from sound2scene.types import InputError

OverRanks = Callable[[Tensor], Tensor]


def alone(rows: Tensor) -> Tensor:
    """The rows of every rank where there is one."""
    return rows


@torch.no_grad()
def sinkhorn(
    scores_NK: Tensor, epsilon: float = 0.05, iterations: int = 3, gather: OverRanks = alone
) -> Tensor:
    """Soft codes that use every prototype equally often over the samples of all ranks.

    From exp(scores / epsilon), each iteration divides every prototype's column by its sum over all samples,
    then every sample's row by its sum. The published code (SwAV `main_swav.py`) also divides by the total, by
    K and by the global number of samples, which the next division takes out again. We work with logarithms,
    so nothing overflows or vanishes at any epsilon.

    Args:
        scores_NK: Cosines of this rank's samples with the prototypes, (..., N, K); leading axes are solved
            apart. N may differ between ranks.
        epsilon: Entropy of the codes; 0.05 as published, 0.03 if training collapses.
        iterations: 3 as published.
        gather: (1, ...) of each rank to (ranks, ...) on every rank; no gradient is needed.

    Returns:
        Codes in float32, rows that sum to 1, shaped as the scores.
    """
    log_NK = scores_NK.float() / epsilon
    for _ in range(iterations):
        log_sum_K = gather(log_NK.logsumexp(-2)[None]).logsumexp(0)
        log_NK = log_softmax(log_NK - log_sum_K[..., None, :], -1)
    return log_NK.exp()


class SwappedPrediction(nn.Module):
    """Cross-entropy of each coded view's code with what the other views predict (SwAV, Eq. 2).

    Args:
        temperature: Of the predictions.
        epsilon: Of the codes.
        iterations: Of Sinkhorn-Knopp.

    Raises:
        InputError: If one is out of range.
    """

    def __init__(self, temperature: float = 0.1, epsilon: float = 0.05, iterations: int = 3) -> None:
        super().__init__()
        for name, value in (("temperature", temperature), ("epsilon", epsilon), ("iterations", iterations)):
            if not 0 < value < math.inf:
                raise InputError(
                    f"{name} is {value}; choose a finite one above 0 (published: 0.1, 0.05 and 3)"
                )
        self.temperature, self.epsilon, self.iterations = temperature, epsilon, iterations

    def codes(self, scores_ANK: Tensor, gather: OverRanks = alone) -> Tensor:
        """Codes of each view's samples, (A, N, K), without gradient; see :func:`sinkhorn`."""
        return sinkhorn(scores_ANK, self.epsilon, self.iterations, gather)

    def forward(self, scores_VBK: Tensor, codes_ABK: Tensor) -> Tensor:
        """Mean over B pictures, A coded views and, for each, the V - 1 others.

        Args:
            scores_VBK: Cosines of every view with the prototypes; the first A views are the coded ones.
            codes_ABK: Their codes.
        """
        coded, views = len(codes_ABK), len(scores_VBK)
        assert 1 < views >= coded
        log_VBK = log_softmax(scores_VBK.float() / self.temperature, -1)
        loss_AV = -torch.einsum("abk,vbk->av", codes_ABK, log_VBK) / scores_VBK.shape[1]
        return (loss_AV.sum() - loss_AV.diagonal().sum()) / (coded * (views - 1))

    @staticmethod
    def chance(prototypes: int) -> float:
        """Loss of predictions that know nothing: ln K (8.006 for the published 3000); training stuck there fails."""
        return math.log(prototypes)
