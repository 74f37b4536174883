"""SwAV's loss: predict the code of a view from the others, with codes by Sinkhorn-Knopp (arXiv:2006.09882).

Axes besides the legend: ``V`` views of a picture, of which the first ``A`` have codes, and ``K`` prototypes.
Equation numbers are those of the paper.
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
    """The rows of every rank if there is only one."""
    return rows


@torch.no_grad()
def sinkhorn(
    scores_NK: Tensor, epsilon: float = 0.05, iterations: int = 3, gather: OverRanks = alone
) -> Tensor:
    """Soft codes that use every prototype equally often over the samples of all ranks (Eq. 3 to 5).

    From exp(scores / epsilon), each iteration divides every prototype's column by its sum over all samples,
    then every sample's row by its sum. The published code (SwAV `main_swav.py`) also divides by the total, by
    K and by the global number of samples, which the next division undoes. Here all is done in logarithms, so
    that nothing overflows or vanishes at any epsilon.

    Args:
        scores_NK: Cosines of this rank's samples with the prototypes, (..., N, K); leading axes are solved
            separately. N may differ between ranks.
        epsilon: Weight of the codes' entropy; 0.05 as published, 0.03 if training collapses.
        iterations: Number of iterations; 3 as published.
        gather: Function from (1, ...) of each rank to (ranks, ...) on every rank; it needs no gradient.

    Returns:
        Codes, float32, in the shape of the scores, with rows that sum to 1.
    """
    log_NK = scores_NK.float() / epsilon
    for _ in range(iterations):
        log_sum_K = gather(log_NK.logsumexp(-2)[None]).logsumexp(0)
        log_NK = log_softmax(log_NK - log_sum_K[..., None, :], -1)
    return log_NK.exp()


class SwappedPrediction(nn.Module):
    """Cross-entropy of each coded view's code with what the other views predict (SwAV, Eq. 2).

    Args:
        temperature: Temperature of the predictions.
        epsilon: Weight of the codes' entropy.
        iterations: Number of Sinkhorn-Knopp iterations.

    Raises:
        InputError: If one of them is not finite and above 0.
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
        """Codes (A, N, K) of each view's samples, without gradient; see :func:`sinkhorn`."""
        return sinkhorn(scores_ANK, self.epsilon, self.iterations, gather)

    def forward(self, scores_VBK: Tensor, codes_ABK: Tensor) -> Tensor:
        """Mean over B pictures, A coded views and, for each of these, the V - 1 others.

        Args:
            scores_VBK: Cosines of every view with the prototypes; the first A views are the coded ones.
            codes_ABK: Codes of the coded views.
        """
        coded, views = len(codes_ABK), len(scores_VBK)
        assert 1 < views >= coded
        log_VBK = log_softmax(scores_VBK.float() / self.temperature, -1)
        loss_AV = -torch.einsum("abk,vbk->av", codes_ABK, log_VBK) / scores_VBK.shape[1]
        return (loss_AV.sum() - loss_AV.diagonal().sum()) / (coded * (views - 1))

    @staticmethod
    def chance(prototypes: int) -> float:
        """Loss of uniform predictions, ln K (8.006 for the published 3000), where failed training stays."""
        return math.log(prototypes)
