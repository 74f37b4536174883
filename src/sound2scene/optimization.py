"""Optimizers and learning-rate schedules that several stages share."""

from __future__ import annotations

import math
from typing import Any

from timm.optim.lars import Lars
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from sound2scene.ranges import COUNT, RATE, check


class AdversarialAdam(Adam):
    """IC-GAN's optimizer of both 128 px networks, whose rates alone differ.

    A class, since jsonargparse reads no pair of betas out of a stage's `lambda`.

    Args:
        parameters: Parameters to optimise, or groups of them.
        lr: Learning rate, 4e-5 of the generator and 1e-4 of the discriminator.
        betas: Decay of the averages of gradients and of their squares.
        eps: Added to the denominator.
        weight_decay: Weight decay, added to the gradient.
    """

    def __init__(
        self,
        parameters: Any,
        lr: float = 4e-5,
        betas: tuple[float, float] = (0.0, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)


class TranslationAdam(Adam):
    """Optimizer of S2I's generator and discriminator; theirs is unknown, this is DCGAN's (arXiv:1511.06434).

    Args:
        parameters: Parameters to optimise, or groups of them.
        lr: Learning rate.
        betas: Decay of the averages of gradients and of their squares.
        eps: Added to the denominator.
        weight_decay: Weight decay, added to the gradient.
    """

    def __init__(
        self,
        parameters: Any,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)


def adam(parameters: Any) -> Adam:
    """What recipes in older run folders call the default of `align`, `judge` and `localizer`."""
    return Adam(parameters, lr=1e-3, weight_decay=1e-5)


def generator_adam(parameters: Any) -> Adam:
    """What they call the default of the generator of `gan`."""
    return AdversarialAdam(parameters)


def discriminator_adam(parameters: Any) -> Adam:
    """What they call the default of the discriminator of `gan`."""
    return AdversarialAdam(parameters, lr=1e-4)


class LARC(Lars):
    """SwAV's optimizer: momentum descent with layer-wise rates (apex `LARC.py` without clipping).

    The gradient plus weight decay of each tensor, biases and norms included, is scaled by ``trust * |w| /
    (|g| + weight_decay * |w| + 1e-8)``, and left alone where a norm is 0. timm's Lars has the same formula;
    it differs for a gradient of exactly 0, where it still decays the weight and apex does nothing.

    Args:
        parameters: Parameters to optimise, or groups of them.
        lr: Learning rate; published: 4.8 for a global batch of 4096 and 0.6 for 256.
        momentum: Momentum of the scaled gradients.
        weight_decay: Weight decay of every tensor.
        trust: Share of its own length by which a tensor moves at rate 1.

    Raises:
        InputError: If a number is negative or not finite.
    """

    def __init__(
        self,
        parameters: Any,
        lr: float = 4.8,
        momentum: float = 0.9,
        weight_decay: float = 1e-6,
        trust: float = 1e-3,
    ) -> None:
        check("LARC", RATE, lr=lr, momentum=momentum, weight_decay=weight_decay, trust=trust)
        super().__init__(
            parameters,
            lr,
            momentum,
            weight_decay=weight_decay,
            trust_coeff=trust,
            trust_clip=False,
            always_adapt=True,
        )


def warmup_cosine(
    optimizer: Optimizer,
    steps: int,
    warmup_steps: int,
    final_share: float = 0.0,
    start_share: float | None = None,
) -> LRScheduler:
    """Multiply rates by a share that rises linearly over `warmup_steps` and then falls by half a cosine.

    The share starts at `start_share` (``1 / warmup_steps`` by default), is 1 at `warmup_steps` and
    `final_share` from `steps` on. It is a closed form of the step, so that a resumed run follows the same
    curve.
    """
    first = 1 / max(warmup_steps, 1) if start_share is None else start_share

    def share(step: int) -> float:
        if step < warmup_steps:
            return first + (1 - first) * step / warmup_steps
        done = min((step - warmup_steps) / max(steps - warmup_steps, 1), 1.0)
        return final_share + (1 - final_share) * (1 + math.cos(math.pi * done)) / 2

    return LambdaLR(optimizer, share)


class WarmupCosine:
    """:func:`warmup_cosine` with its settings, to be named in a recipe.

    The defaults are those of SwAV's recipes for batches of 4096: from 0.3 to 4.8 over 10 epochs of 312 steps,
    then down to 0.0048.

    Args:
        warmup_steps: Length of the linear part in steps.
        start_share: Share of the rate at step 0; None for ``1 / warmup_steps``.
        final_share: Share of the rate at the last step.

    Raises:
        InputError: If a number is negative or not finite.
    """

    def __init__(
        self, warmup_steps: int = 3120, start_share: float | None = 0.0625, final_share: float = 0.001
    ) -> None:
        check("schedule", COUNT, warmup_steps=warmup_steps)
        check("schedule", RATE, start_share=start_share, final_share=final_share)
        self.warmup_steps, self.start_share, self.final_share = warmup_steps, start_share, final_share

    def __call__(self, optimizer: Optimizer, steps: int) -> LRScheduler:
        """The scheduler for a run of `steps` steps."""
        return warmup_cosine(optimizer, steps, self.warmup_steps, self.final_share, self.start_share)
