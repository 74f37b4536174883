"""How well pictures show what they should: kinds, number, size and place, by what a reader reads in them."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional import r2_score, spearman_corrcoef

from sound2scene.types import Scene

PLACES = ("left_right", "height", "diameter")
_FEWEST = 3  # objects below which a correlation means nothing


def scene_figures(read: Scene, true: Scene) -> dict[str, float]:
    """What was read in N pictures against what they should show.

    Args:
        read: What was read.
        true: What is true of each.

    Returns:
        Shares of pictures with exactly the true kinds (`kinds_right`), the true number of objects
        (`number_right`) and the true kind of background (`background_right`); of pictures of two objects, the
        share that shows both (`both_shown`); and over the objects found, coefficient of determination and
        rank correlation (Spearman) of read and true place: `diameter_r2`, `diameter_rank`, `height_r2` ...,
        0 where fewer than three were found. `both_shown` is left out where no picture has two.
    """
    count_N = true.present_BK.sum(1)
    same_NK = read.present_BK == true.present_BK
    found_NK = (read.present_BK > 0) & (true.present_BK > 0)
    figures = {
        "kinds_right": _share(same_NK.all(1)),
        "number_right": _share(read.present_BK.sum(1) == count_N),
        "background_right": _share(read.background_B == true.background_B),
    }
    if (count_N == 2).any():
        figures["both_shown"] = _share(found_NK.sum(1)[count_N == 2] == 2)
    for number, name in enumerate(PLACES):
        figures |= {f"{name}_r2": 0.0, f"{name}_rank": 0.0}
        if found_NK.sum() >= _FEWEST:
            of_read_M, of_true_M = (scene.place_BK3[found_NK][:, number].double() for scene in (read, true))
            figures[f"{name}_r2"] = float(r2_score(of_read_M, of_true_M))
            figures[f"{name}_rank"] = float(spearman_corrcoef(of_read_M, of_true_M))
    return figures


def _share(right_N: Tensor) -> float:
    return float(right_N.float().mean())


class SceneScores(Metric):
    """Collects what was read in pictures and what is true of them, over batches and ranks.

    Every rank must have seen at least one picture.
    """

    read: list[Tensor]
    true: list[Tensor]
    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        for state in ("read", "true"):
            self.add_state(state, default=[], dist_reduce_fx="cat")

    def update(self, read: Scene, true: Scene) -> None:
        """Add pictures."""
        self.read.append(_rows(read))
        self.true.append(_rows(true))

    def compute(self) -> tuple[int, dict[str, float]]:
        """How many pictures there are, and their figures; see :func:`scene_figures`."""
        read_NM, true_NM = (_joined(state) for state in (self.read, self.true))
        return len(read_NM), scene_figures(_scene(read_NM), _scene(true_NM))


def _rows(scene: Scene) -> Tensor:
    """A scene as one matrix: kinds, their places, background."""
    return torch.cat([scene.present_BK, scene.place_BK3.flatten(1), scene.background_B[:, None].float()], 1)


def _scene(rows_BM: Tensor) -> Scene:
    classes = (rows_BM.shape[1] - 1) // 4
    present_BK, place_BN, background_B1 = torch.split(rows_BM, [classes, 3 * classes, 1], dim=1)
    return Scene(present_BK, place_BN.view(-1, classes, 3), background_B1[:, 0].long())


def _joined(state: list[Tensor] | Tensor) -> Tensor:
    joined = state if isinstance(state, Tensor) else torch.cat(state)
    return joined if joined.ndim == 2 else joined[None]  # torchmetrics squeezes the axis of a single picture
