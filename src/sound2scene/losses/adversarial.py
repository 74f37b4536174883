"""Adversarial losses of discriminator and generator, and the penalty on the gradient at real pictures.

Scores are raw outputs of the discriminator, (B,) or (B, 1); higher means more real.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu, softplus


class HingeLoss(nn.Module):
    """Hinge loss (IC-GAN `BigGAN_PyTorch/losses.py`; Lim and Ye, arXiv:1705.02894).

    The discriminator's loss is 0, its minimum, if reals score at least 1 and fakes at most -1, and 2 if all
    score 0.
    """

    def discriminator(self, real_B: Tensor, fake_B: Tensor) -> Tensor:
        """mean(relu(1 - real)) + mean(relu(1 + fake))."""
        return relu(1 - real_B.float()).mean() + relu(1 + fake_B.float()).mean()

    def generator(self, fake_B: Tensor) -> Tensor:
        """-mean(fake)."""
        return -fake_B.float().mean()


class NonSaturatingLoss(nn.Module):
    """Logistic loss with the generator's non-saturating form (Goodfellow et al., arXiv:1406.2661, section 3).

    If all score 0, the discriminator's loss is 2 ln 2 and the generator's ln 2.
    """

    def discriminator(self, real_B: Tensor, fake_B: Tensor) -> Tensor:
        """mean(-log sigmoid(real)) + mean(-log(1 - sigmoid(fake)))."""
        return softplus(-real_B.float()).mean() + softplus(fake_B.float()).mean()

    def generator(self, fake_B: Tensor) -> Tensor:
        """mean(-log sigmoid(fake))."""
        return softplus(-fake_B.float()).mean()


class AbsoluteLoss(nn.Module):
    """Distance of bounded scores to +1 for reals and -1 for fakes (S2I, `images/StI_translator_scheme.png`).

    The form is published, the targets are inferred from the tanh that bounds the scores. If all score 0, the
    discriminator's loss is 2 and the generator's 1.
    """

    def discriminator(self, real_B: Tensor, fake_B: Tensor) -> Tensor:
        """mean(|1 - real|) + mean(|-1 - fake|)."""
        return (1 - real_B.float()).abs().mean() + (1 + fake_B.float()).abs().mean()

    def generator(self, fake_B: Tensor) -> Tensor:
        """mean(|1 - fake|)."""
        return (1 - fake_B.float()).abs().mean()


def slope_penalty(score_B: Tensor, image_BCHW: Tensor) -> Tensor:
    """R1: half the mean squared norm of the gradient at real pictures (Mescheder et al., arXiv:1801.04406).

    Args:
        score_B: Scores of `image_BCHW`, with their graph.
        image_BCHW: Real pictures, which require a gradient.
    """
    (slope_BCHW,) = torch.autograd.grad(score_B.sum(), image_BCHW, create_graph=True)
    return slope_BCHW.float().square().sum((1, 2, 3)).mean() / 2
