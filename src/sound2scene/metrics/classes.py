"""What pictures show, by a network's scores of classes: recall, variety, and likeness to the real picture."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from sound2scene.scratch import IN_MEMORY, Scratch
from sound2scene.types import DivergedError, InputError

_CHUNK = 1024  # pictures at a time


def label_ranks(logits_NK: Tensor, label_N: Tensor) -> Tensor:
    """How many other classes score at least as high as a picture's own, int64 (M,); 0 is best.

    Ties count against the picture, so that a network that gives all classes one score recalls none.

    Args:
        logits_NK: Scores of the classes.
        label_N: Class that each picture is meant to show; those with -1 are left out.

    Raises:
        DivergedError: If a score is not finite.
    """
    _check_finite(logits_NK)
    known_N = label_N >= 0
    logits_MK, label_M = logits_NK[known_N], label_N[known_N]
    own_M1 = logits_MK.gather(1, label_M[:, None])
    return (logits_MK >= own_M1).sum(1) - 1


def wanted_found(logits_NK: Tensor, wanted_NK: Tensor) -> Tensor:
    """Share of the classes that a picture is meant to show among as many that score highest, float64 (M,).

    Of a mixture of two sounds: 1 where the two highest scores are those of its classes, 0.5 where one of them
    is. Ties count against the picture.

    Args:
        logits_NK: Scores of the classes.
        wanted_NK: Whether each picture is meant to show each class, bool; pictures of none are left out.

    Raises:
        DivergedError: If a score is not finite.
    """
    _check_finite(logits_NK)
    some_N = wanted_NK.any(1)
    logits_MK, wanted_MK = logits_NK[some_N], wanted_NK[some_N]
    count_M1 = wanted_MK.sum(1, keepdim=True)
    order_MK = (logits_MK[:, None, :] >= logits_MK[:, :, None]).sum(2) - 1
    return ((order_MK < count_M1) & wanted_MK).sum(1) / count_M1[:, 0].double()


def inception_score(logits_NK: Tensor) -> float:
    """Inception score of one split of all pictures, from 1 to the number of classes.

    It is the exponential of the mean KL divergence of a picture's classes from those of all (Salimans et al.,
    *Improved Techniques for Training GANs*, arXiv:1606.03498, section 4).

    Args:
        logits_NK: Scores of the classes.

    Raises:
        InputError: If there are no pictures.
        DivergedError: If a score is not finite.
    """
    return float(resampled_inception_score(logits_NK, [torch.arange(len(logits_NK))])[0])


def resampled_inception_score(
    logits_NK: Tensor, rows: Iterable[Tensor], scratch: Scratch = IN_MEMORY
) -> Tensor:
    """Inception scores of resamples of the pictures, float64 (R,); see :func:`inception_score`.

    Args:
        logits_NK: Scores of the classes.
        rows: Positions of the pictures of each resample.
        scratch: Room for a float64 matrix as large as the scores.

    Raises:
        InputError: If there are no pictures.
        DivergedError: If a score is not finite.
    """
    if not len(logits_NK):
        raise InputError("an inception score of no pictures means nothing; give clips to draw")
    share_NK = scratch.zeros(*logits_NK.shape, dtype=torch.float64)
    entropy_N = share_NK.new_empty(len(share_NK))
    for logits_BK, share_BK, entropy_B in zip(
        *(torch.split(rows_N, _CHUNK) for rows_N in (logits_NK, share_NK, entropy_N)), strict=True
    ):
        _check_finite(logits_BK)
        log_BK = logits_BK.cpu().double().log_softmax(1)
        torch.exp(log_BK, out=share_BK)
        torch.sum(share_BK * log_BK, 1, out=entropy_B).neg_()
    # The mean divergence is the entropy of all classes less the mean entropy of a picture's.
    found = []
    for row_N in rows:
        weight_N = torch.bincount(row_N, minlength=len(share_NK)).double() / len(row_N)
        all_K = weight_N @ share_NK
        found.append(-torch.xlogy(all_K, all_K).sum() - weight_N @ entropy_N)
    return torch.stack(found).exp()


def paired_cosines(one_ND: Tensor, other_ND: Tensor) -> Tensor:
    """Cosine of each two features in one row, float64 (N,).

    Of CLIP's features of drawn and real pictures it is the image-image similarity (IIS) of later work.

    Args:
        one_ND: Features of the drawn pictures.
        other_ND: Features of the real picture of each.

    Raises:
        DivergedError: If a feature is not finite.
    """
    _check_finite(one_ND)
    _check_finite(other_ND)
    return cosine_similarity(one_ND.double(), other_ND.double(), dim=1)


def _check_finite(found: Tensor) -> None:
    if not torch.isfinite(found).all():
        raise DivergedError("a network sees NaN or infinity in pictures; look at them and at its weights")
