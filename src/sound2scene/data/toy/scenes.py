"""What a picture of the toy world shows, as numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from sound2scene.data.toy import pictures
from sound2scene.data.toy.truth import KINDS, Truth
from sound2scene.protocols import Described, Pictures
from sound2scene.types import InputError, Scene

# Below this opacity an object is taken for absent.
_SEEN = 0.5


def scene_of(truth: Truth, moment_s: float | None = None) -> Scene:
    """What the picture of a clip shows, as a batch of one; kinds in the order of `KINDS`.

    Args:
        truth: The clip.
        moment_s: Second of its picture, at which objects have drifted and may be gone; None is what all of
            the clip's sound tells: each source in the middle of its interval.
    """
    present_K, place_K3 = torch.zeros(len(KINDS)), torch.zeros(len(KINDS), 3)
    for source in truth.sources:
        kind = KINDS.index(source.kind)
        if moment_s is None or pictures.opacity(source.start_s, source.end_s, np.array(moment_s)) > _SEEN:
            t_s = 0.0 if moment_s is None else moment_s - source.middle_s
            place = pictures.placed(source.sprite, np.array(t_s))
            present_K[kind], place_K3[kind] = 1.0, torch.tensor([float(part) for part in place])
    background = pictures.BACKGROUNDS.index(truth.background)
    return Scene(present_K[None], place_K3[None], torch.tensor([background]))


def scenes_of(split: Pictures, positions: Sequence[int], heard: bool = False) -> Scene:
    """What the pictures of clips of a toy split show.

    Args:
        split: The split.
        positions: Positions of the clips.
        heard: What all of the sound tells instead of the one moment of the picture.

    Raises:
        InputError: If the split is not of the toy world.
    """
    found = [_known(split, position, heard) for position in positions]
    return Scene(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def _known(split: Pictures, position: int, heard: bool) -> Scene:
    if not isinstance(split, Described) or tuple(split.classes) != KINDS:
        raise InputError(f"{split.where(position)}: not of the toy world, of whose pictures all is known")
    about = split.metadata(position)
    truth = Truth.from_json(about["metadata"], split.where(position))
    return scene_of(truth, None if heard else about["moment_s"])
