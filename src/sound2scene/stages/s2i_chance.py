"""What the networks of S2I drop in training and on held-out clips: chance that nothing else disturbs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sound2scene.distributed import world
from sound2scene.latent import seed_of_clip, uniform_rows
from sound2scene.seeds import seed_of

SEED = 0  # when held-out clips are measured


def chance_of_turn(rows: int, width: int, *turn: int) -> Tensor:
    """This rank's rows of the global batch's chance, uniform (rows, width) on the CPU.

    It is a function of the run's seed and the turn alone: a resumed run meets it again, and several processes
    meet that of one.

    Args:
        rows: Rows of each rank.
        width: Channels that may be dropped.
        turn: Numbers that tell one use of chance from all others, such as the batches so far.
    """
    rank, ranks = world()
    dice = torch.Generator().manual_seed(seed_of(torch.initial_seed(), *turn))
    chance_GZ = torch.rand(rows * ranks, width, generator=dice)
    return chance_GZ[rank * rows : (rank + 1) * rows]


def chance_of_clips(keys: Sequence[str], width: int) -> Tensor:
    """The first draw of held-out clips, uniform (B, width) on the CPU, each by its own key."""
    return uniform_rows([seed_of_clip(SEED, key) for key in keys], [0] * len(keys), width)
