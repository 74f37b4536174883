"""How well a map shows where the sound comes from: cIoU and the area under its curve, as on VGG-SS.

The formulas are those of Chen et al., "Localizing Visual Sounds the Hard Way" (CVPR 2021), `test.py` and
`utils.py` of its repository.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from sound2scene.types import DivergedError

Box = tuple[float, float, float, float]
Threshold = float | Literal["median"]
_LEVELS = 21  # IoU 0, 0.05 ... 1 at which success is measured


def foreground(map_HW: Tensor, threshold: Threshold) -> Tensor:
    """The places that a map points to, (H, W) of bool.

    Args:
        map_HW: Map of any scale.
        threshold: Share of the way from the map's smallest to its largest value, or "median": the half of the
            picture with the larger values, which is the protocol of VGG-SS and cannot single out a small
            object.

    Raises:
        DivergedError: If the map is not finite.
    """
    if not torch.isfinite(map_HW).all():
        raise DivergedError("a localization map holds NaN or infinity; go back to a state from before")
    map_HW = map_HW.double()
    if threshold == "median":
        return map_HW > map_HW.flatten().sort().values[map_HW.numel() // 2]
    low, high = map_HW.min(), map_HW.max()
    return (map_HW - low) / (high - low).clamp(min=1e-12) > float(threshold)


def box_mask(boxes: Sequence[Box], height: int, width: int) -> Tensor:
    """The union of boxes (x0, y0, x1, y1) in shares of the picture, (H, W) of bool."""
    mask_HW = torch.zeros(height, width, dtype=torch.bool)
    for x0, y0, x1, y1 in boxes:
        mask_HW[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)] = True
    return mask_HW


def ciou(map_HW: Tensor, boxes: Sequence[Box], threshold: Threshold) -> float:
    """Consensus IoU of one map with the boxes of one annotator, in [0, 1]: intersection over union."""
    found_HW = foreground(map_HW, threshold)
    true_HW = box_mask(boxes, *map_HW.shape).to(found_HW.device)
    union = int((found_HW | true_HW).sum())
    return int((found_HW & true_HW).sum()) / union if union else 0.0


def success(ciou_N: Tensor, level: float = 0.5) -> float:
    """Share of maps whose cIoU is at least `level`: "cIoU@0.5" as papers report it."""
    return float((ciou_N >= level).double().mean())


def area_under_curve(ciou_N: Tensor) -> float:
    """Area under the curve of `success` over levels from 0 to 1 in steps of 0.05, by the trapezoidal rule."""
    level_L = torch.linspace(0, 1, _LEVELS, dtype=torch.float64)
    return float(torch.trapezoid((ciou_N.double()[None] >= level_L[:, None]).double().mean(1), level_L))
