"""Editing a picture by a sound's volume, or by any two sounds (paper figure 7).

z' = z + strength · (z_audio of one sound - z_audio of another), of unit length again; the noise is kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from sound2scene.types import InputError

_SAME = 1e-6  # of unit vectors: what their last bits differ by


def direction(z_to_D: Tensor, z_from_D: Tensor) -> Tensor:
    """The way (D,) from one sound's latent to another's, both of unit length; its length is kept.

    Raises:
        InputError: If the two sounds have the same latent, so that there is no way.
    """
    way_D = z_to_D - z_from_D
    if not float(way_D.norm()) > _SAME:
        raise InputError(
            "edit: the audio encoder hears no difference between the two sounds; give gains or sounds that "
            "lie farther apart"
        )
    return way_D


def edited(z_D: Tensor, way_D: Tensor, strengths: Sequence[float]) -> Tensor:
    """Latents (S, D) along a way, of unit length; at strength 0 the given one, to the last bit.

    Args:
        z_D: Latent of the picture, of unit length.
        way_D: The way, as from :func:`direction`.
        strengths: How far to go along it, backwards where negative; 1 goes as far as the sounds lie apart.

    Raises:
        InputError: If there is no strength, one is not finite, or one leads to nowhere.
    """
    if not strengths:
        raise InputError("edit: no strength; give --strength some, such as -2:2:1")
    rows = []
    for strength in strengths:
        if not math.isfinite(strength):
            raise InputError(f"edit: a strength is {strength}; give finite ones")
        moved_D = z_D + strength * way_D
        if not float(moved_D.norm()) > _SAME:
            raise InputError(
                f"edit: at strength {strength:g} nothing is left of the picture; give a smaller one"
            )
        rows.append(normalize(moved_D, dim=0) if strength else z_D)
    return torch.stack(rows)
