"""Pair selection: which moments of a video show what is heard (paper section 2.3, Fig. 2)."""

from __future__ import annotations

from typing import NamedTuple

import pytorch_lightning as pl
import torch

from sound2scene.models.localizer import Localizer
from sound2scene.moments import Choice, Footage, Moments, Refused, Scorer, TooManyFramesError
from sound2scene.types import InputError


class Found(NamedTuple):
    """What became of a video: its best moments, or why it has none."""

    key: str
    found: Choice | Refused


class Chooser:
    """Scores every step of a video and keeps the best, in whatever process it is called.

    Args:
        scorer: Scores a video's steps.
        top_k: Moments to keep.
    """

    def __init__(self, scorer: Scorer, top_k: int) -> None:
        self.scorer, self.top_k = scorer, top_k

    def __call__(self, footage: Footage) -> Found | InputError:
        """The choice for one video, or what is wrong with the scorer: a value can leave a process, whole."""
        if isinstance(footage.found, Refused):
            return Found(footage.key, footage.found)
        try:
            found = best_moments(self.scorer, footage.found, footage.duration_s, self.top_k)
        except TooManyFramesError as error:
            return Found(footage.key, Refused(error.kind, str(error)))
        except InputError as error:
            return error
        return Found(footage.key, found)


class SelectionStage(pl.LightningModule):
    """Scores every step of every video and keeps the best; it only predicts.

    Args:
        scorer: Scores a video's steps; a network among them moves to the device.
        top_k: Moments to keep.

    Raises:
        InputError: If `top_k` is below 1.
    """

    def __init__(self, scorer: Scorer, top_k: int = 10) -> None:
        super().__init__()
        if top_k < 1:
            raise InputError(f"--top-k {top_k}: keep at least 1 moment")
        # As for training: convolutions on CPUs are faster with channels last.
        self.scorer = (
            scorer.to(memory_format=torch.channels_last) if isinstance(scorer, Localizer) else scorer
        )
        self.top_k = top_k
        self.choose = Chooser(self.scorer, top_k)

    def predict_step(self, footage: Footage | Found | InputError, batch_index: int) -> Found:
        """The choice for one video, unless the process that decoded it has chosen already.

        Raises:
            InputError: If the scorer does not give one finite score for each step.
        """
        found = self.choose(footage) if isinstance(footage, Footage) else footage
        if isinstance(found, InputError):
            raise found
        return found


def best_moments(scorer: Scorer, moments: Moments, duration_s: float, top_k: int) -> Choice:
    """The `top_k` best steps of a video, or all where it has fewer; of equal ones the earlier first.

    Raises:
        InputError: If the scorer does not give one finite score for each step.
    """
    score_S = scorer.score(moments).score_S.float().cpu()
    who = f"{moments.key}: {type(scorer).__name__}"
    if score_S.shape != moments.second_S.shape:
        raise InputError(
            f"{who} gave scores of shape {tuple(score_S.shape)} for {len(moments.second_S)} steps; mend the "
            "scorer"
        )
    if not torch.isfinite(score_S).all():
        raise InputError(f"{who} gave a score that is not finite; mend the scorer or leave the video out")
    best = torch.sort(score_S, descending=True, stable=True).indices[:top_k]
    second_S = moments.second_S.cpu()
    return Choice(tuple(second_S[best].tolist()), tuple(score_S[best].tolist()), duration_s)
