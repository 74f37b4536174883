"""The averaged generator, which is sampled, measured and exported while the live one is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

_Tensors = tuple[Tensor, ...] | list[Tensor]


class AveragedGenerator(AveragedModel):
    """Exponential moving average of a network and its float buffers (IC-GAN `BigGAN_PyTorch/utils.py`).

    Before the start of averaging, a step copies the live network. The average requires no gradients and stays
    in eval mode, so that batch norms use the averaged running statistics.

    Args:
        network: Live network, whose present state is copied.
        decay: Share of the average that a step keeps.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        def lerp(averaged: _Tensors, live: _Tensors, count: Tensor | int) -> None:
            # One dtype at a time; integers (the batches that a norm has seen) have no average.
            if averaged[0].is_floating_point():
                torch._foreach_lerp_(list(averaged), list(live), 1 - decay)
            else:
                torch._foreach_copy_(list(averaged), list(live))

        super().__init__(network, multi_avg_fn=lerp, use_buffers=True)
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> AveragedGenerator:
        """Stays in eval mode, whatever the stage around it does."""
        super().train(False)
        return self

    def update(self, network: nn.Module, started: bool) -> None:
        """Take one step: average if averaging has `started`, else copy."""
        if not started:
            self.n_averaged.zero_()
        self.update_parameters(network)
