"""Losses of a localizer: which sound belongs to which frame, or the class of a video from its moments."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

Instances = Literal["attention", "max", "mean"]


def contrastive(score_GG: Tensor, video_G: Tensor) -> Tensor:
    """Symmetric InfoNCE over G moments: find a moment's sound among those of other videos, and so its frame.

    At its minimum the score is, up to a constant, the pointwise mutual information of frame and sound (van
    den Oord et al., arXiv:1807.03748, eq. 5). The empty frame of a silent moment goes with every silence, so
    it scores low; a moment at which something is both heard and seen scores high. Hence the score is fit for
    choosing a moment.

    Args:
        score_GG: Score of each frame (rows) with each sound (columns).
        video_G: Number of the video that each moment belongs to; other moments of the same video are left
            out, as they are neither right nor wrong.
    """
    own = torch.eye(len(score_GG), dtype=torch.bool, device=score_GG.device)
    ignored_GG = (video_G[:, None] == video_G[None]) & ~own
    score_GG = score_GG.masked_fill(ignored_GG, -torch.inf)
    target_G = torch.arange(len(score_GG), device=score_GG.device)
    return (cross_entropy(score_GG, target_G) + cross_entropy(score_GG.mT, target_G)) / 2


def classification(
    logits_BMK: Tensor, score_BM: Tensor, label_B: Tensor, instances: Instances = "attention"
) -> Tensor:
    """Cross-entropy of a video's label, from M moments of which only some may show it (multiple instances).

    Args:
        logits_BMK: Scores of the K classes at each moment.
        score_BM: Agreement C_av of picture and sound at each moment.
        label_B: Class of each video.
        instances: How moments are pooled into a video: a mean weighted by the softmax of C_av ("attention"),
            the maximum of each class, or the plain mean. The published form is not known.
    """
    if instances == "attention":
        logits_BK = torch.einsum("bmk,bm->bk", logits_BMK, score_BM.softmax(1))
    else:
        logits_BK = logits_BMK.amax(1) if instances == "max" else logits_BMK.mean(1)
    return cross_entropy(logits_BK, label_B)
