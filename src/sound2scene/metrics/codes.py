"""How much of a codebook is in use: one of which few vectors are chosen has collapsed."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class CodeUse(Metric):
    """Counts how often each codebook vector is chosen, over batches and ranks.

    Args:
        codes: Number K of codebook vectors.
    """

    count_K: Tensor
    full_state_update = False

    def __init__(self, codes: int) -> None:
        super().__init__()
        self.add_state("count_K", default=torch.zeros(codes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, number_BHW: Tensor) -> None:
        """Add choices: numbers of vectors, of any shape."""
        self.count_K += torch.bincount(number_BHW.flatten(), minlength=len(self.count_K))

    def compute(self) -> dict[str, float]:
        """Vectors that were chosen at all (`codes_used`), and the exponential of the entropy of the choices.

        The latter (`code_perplexity`) is K where all vectors are chosen alike and 1 where one alone is.
        """
        share_K = self.count_K.double() / self.count_K.sum().clamp(min=1)
        entropy = -torch.xlogy(share_K, share_K).sum()
        return {"codes_used": float((self.count_K > 0).sum()), "code_perplexity": float(entropy.exp())}
