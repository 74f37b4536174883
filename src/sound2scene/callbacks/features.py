"""Features that a network in training finds in a split's pictures as they are, without augmentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from sound2scene import images
from sound2scene.data.batches.reader import open_picture
from sound2scene.protocols import Pictures

BATCH = 64


@torch.no_grad()
def features_of(
    network: nn.Module,
    preset: str,
    split: Pictures,
    positions: Sequence[int],
    encode: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Features, (N, D) float32 on the CPU, of the pictures at some positions, in evaluation mode.

    Args:
        network: Network to ask, which is left in the mode that it is in.
        preset: Chain that feeds it.
        split: Pictures.
        positions: Which of them.
        encode: What of the network to call; the network itself by default.
    """
    chain, was_training, encode = images.preset(preset), network.training, encode or network
    network.eval()
    device, rows = next(network.parameters()).device, []
    for start in range(0, len(positions), BATCH):
        pictures = [chain(open_picture(split, one)) for one in positions[start : start + BATCH]]
        rows.append(encode(torch.stack(pictures).to(device)).float().cpu())
    network.train(was_training)
    return torch.cat(rows)
