"""Signs that a GAN collapses: a discriminator that is always right, or pictures that are all the same."""

from __future__ import annotations

import torch
from torch import Tensor


class CollapseWatch:
    """Follows two slow averages over training steps and warns once when one leaves its healthy range.

    Args:
        memory: Steps over which the averages run, roughly.
        saturated: Share of scores beyond the margin (reals above 1, fakes below -1) above which to warn.
        diversity: Ratio of the fakes' spread to that of the reals below which to warn.
    """

    def __init__(self, memory: int = 200, saturated: float = 0.98, diversity: float = 0.1) -> None:
        self.memory, self.saturated, self.diversity = memory, saturated, diversity
        self.steps = 0
        self.certainty, self.spread = 0.0, 1.0
        self._told: set[str] = set()

    def update(self, real_B: Tensor, fake_B: Tensor, real_BCHW: Tensor, fake_BCHW: Tensor) -> list[str]:
        """Add a training step and return new warnings.

        Args:
            real_B: Scores of the reals.
            fake_B: Scores of the fakes.
            real_BCHW: Real pictures.
            fake_BCHW: Generated pictures.
        """
        certain = ((real_B > 1).float().mean() + (fake_B < -1).float().mean()).item() / 2
        spread = (_spread(fake_BCHW) / _spread(real_BCHW).clamp(min=1e-6)).item()
        self.steps += 1
        share = 1 / min(self.steps, self.memory)
        self.certainty += share * (certain - self.certainty)
        self.spread += share * (spread - self.spread)
        if self.steps < self.memory:
            return []
        signs = {
            f"the discriminator is saturated: {self.certainty:.0%} of its scores lie beyond the margin": (
                self.certainty > self.saturated
            ),
            f"the fakes lose their diversity: their spread is {self.spread:.0%} of the reals'": (
                self.spread < self.diversity
            ),
        }
        fresh = [sign for sign, seen in signs.items() if seen and sign.partition(":")[0] not in self._told]
        self._told = {sign.partition(":")[0] for sign, seen in signs.items() if seen}
        return fresh


def _spread(image_BCHW: Tensor) -> Tensor:
    """Standard deviation over the batch, averaged over pixels and channels."""
    return torch.std(image_BCHW.detach().float(), dim=0).mean()
