"""What methods share: the check of what they are asked for, and rows through a network in parts of one size.

The kernels that a library picks, and so the last bits of what they compute, depend on the size of a batch. A
picture must not depend on what is drawn beside it, so every batch of a method has the same size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from sound2scene import ranges
from sound2scene.types import CLIP_SAMPLES, InputError

ROWS_AT_ONCE = 8


def by_parts(
    network: Callable[..., Tensor], device: torch.device, *columns: Tensor, rows_at_once: int = ROWS_AT_ONCE
) -> Iterator[Tensor]:
    """What a network makes of rows, part by part; the last part is filled up with copies of its last row.

    Args:
        network: Takes a part of each column.
        device: Where the network works.
        columns: Tensors of as many rows each, on any device.
        rows_at_once: Rows of a part.
    """
    for parts in zip(*(torch.split(column, rows_at_once) for column in columns), strict=True):
        rows = len(parts[0])
        if rows:  # an empty column is split into one empty part
            yield network(*(_filled(part, rows_at_once).to(device) for part in parts))[:rows]


def check_asked(waveform_BT: Tensor, keys: Sequence[str], draws: int, seed: int) -> None:
    """Refuse what no method draws; arguments as for `protocols.Method`.

    Raises:
        InputError: If the sounds have another shape, another number than the keys, or a setting is out of its
            range.
    """
    ranges.check("pictures", ranges.PLENTY, draws=draws)
    ranges.check("pictures", ranges.SEED, seed=seed)
    shape = tuple(waveform_BT.shape)
    if len(shape) != 2 or shape[1] != CLIP_SAMPLES or not waveform_BT.is_floating_point():
        raise InputError(
            f"pictures takes sounds, floats (B, {CLIP_SAMPLES}), not {waveform_BT.dtype} {shape}; read them "
            "by sound2scene.audio.load"
        )
    if len(keys) != len(waveform_BT):
        raise InputError(f"{len(waveform_BT)} sounds and {len(keys)} keys; give one key for each sound")


def _filled(part: Tensor, rows: int) -> Tensor:
    missing = rows - len(part)
    return torch.cat([part, part[-1:].expand(missing, *part.shape[1:])]) if missing else part
