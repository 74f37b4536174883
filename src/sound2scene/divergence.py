"""What is no longer finite stops at once, with step, name and clips; nothing is repaired silently."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sound2scene.types import DivergedError

_SHOWN = 8


def finite(value: Tensor, what: str, keys: Sequence[str], step: int) -> Tensor:
    """The value itself, where it is finite.

    Args:
        value: One number for the whole batch, or (B, ...) with a row for each key.
        what: Name of the value.
        keys: Names of the clips of the batch.
        step: Optimizer step.

    Raises:
        DivergedError: If anything of it is NaN or infinite; rows name their clips.
    """
    if bool(torch.isfinite(value).all()):
        return value
    rows = value.dim() > 0 and len(value) == len(keys)
    fine_B = torch.isfinite(value.flatten(1) if value.dim() > 1 else value[:, None]).all(1) if rows else None
    bad = (
        keys
        if fine_B is None
        else [key for key, is_fine in zip(keys, fine_B.tolist(), strict=True) if not is_fine]
    )
    shown = ", ".join(bad[:_SHOWN]) + (f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else "")
    told = str(value.item()) if value.dim() == 0 else "NaN or infinite"
    raise DivergedError(
        f"step {step}: {what} is {told} for clips {shown}; lower the rate, or mend these clips"
    )
