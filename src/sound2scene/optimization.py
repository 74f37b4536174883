"""Optimizers and learning-rate schedules by step that several stages share."""

from __future__ import annotations

import math
from typing import Any

from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


def adam(parameters: Any) -> Adam:
    """The published optimizer of the audio encoder: Adam, rate 1e-3, L2-coupled weight decay 1e-5."""
    return Adam(parameters, lr=1e-3, weight_decay=1e-5)


def generator_adam(parameters: Any) -> Adam:
    """IC-GAN's optimizer of the 128 px generator: Adam, rate 4e-5, beta 0 and 0.999, epsilon 1e-6."""
    return Adam(parameters, lr=4e-5, betas=(0.0, 0.999), eps=1e-6)


def discriminator_adam(parameters: Any) -> Adam:
    """IC-GAN's optimizer of the 128 px discriminator: as the generator's, rate 1e-4."""
    return Adam(parameters, lr=1e-4, betas=(0.0, 0.999), eps=1e-6)


def warmup_cosine(optimizer: Optimizer, steps: int, warmup_steps: int, final_share: float = 0.0) -> LRScheduler:
    """Linear up over `warmup_steps`, then half a cosine down to `final_share` of each group's own rate at `steps`.

    The share is a closed form of the step, so that a resumed run follows the same curve: it starts at
    ``1 / warmup_steps``, is 1 at `warmup_steps` and `final_share` from `steps` on.
    """

    def share(step: int) -> float:
        if step < warmup_steps:
            return (1 + (warmup_steps - 1) * step / warmup_steps) / warmup_steps
        done = min((step - warmup_steps) / max(steps - warmup_steps, 1), 1.0)
        return final_share + (1 - final_share) * (1 + math.cos(math.pi * done)) / 2

    return LambdaLR(optimizer, share)
