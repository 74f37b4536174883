"""Scorers that neither look nor listen: the baselines that a localizer has to beat."""

from __future__ import annotations

import torch

from sound2scene.moments import STEP_HZ, Moments, Scored
from sound2scene.ranges import SEED, check
from sound2scene.seeds import seed_of


class Middle:
    """Prefers moments near the middle of the video, the usual choice of a frame."""

    side_px = 32

    def score(self, moments: Moments) -> Scored:
        """Minus the distance of each step from half of the video's length, in seconds."""
        return Scored(-(moments.second_S - len(moments.second_S) / STEP_HZ / 2).abs().float())


class Random:
    """Scores moments at random.

    Args:
        seed: Seed of the scores; those of a video depend only on it and on the video's key.
    """

    side_px = 32

    def __init__(self, seed: int = 0) -> None:
        check("scorer", SEED, seed=seed)
        self.arguments = {"seed": seed}

    def score(self, moments: Moments) -> Scored:
        """A number in [0, 1) for each step."""
        dice = torch.Generator().manual_seed(seed_of(self.arguments["seed"], moments.key))
        return Scored(torch.rand(len(moments.second_S), generator=dice))
