import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from sound2scene.metrics.scenes import SceneScores, scene_figures
from sound2scene.types import Scene


def drawn(count: int = 40, seed: int = 0) -> tuple[Scene, Scene]:
    """What is true of pictures of one or two of four kinds, and a reading with mistakes."""
    dice = torch.Generator().manual_seed(seed)
    order_NK = torch.rand(count, 4, generator=dice).argsort(1)
    present_NK = torch.zeros(count, 4).scatter_(1, order_NK[:, :1], 1.0)
    present_NK[: count // 2].scatter_(1, order_NK[: count // 2, 1:2], 1.0)
    place_NK3 = torch.rand(count, 4, 3, generator=dice) * present_NK[:, :, None]
    true = Scene(present_NK, place_NK3, torch.randint(5, (count,), generator=dice))
    read_NK = present_NK.clone()
    read_NK[::7] = read_NK[::7].flip(1)
    noise_NK3 = 0.1 * torch.randn(count, 4, 3, generator=dice)
    read = Scene(read_NK, (place_NK3 + noise_NK3) * read_NK[:, :, None], true.background_B.clone())
    read.background_B[:10] = 4
    return read, true


def slow(read: Scene, true: Scene) -> dict[str, float]:
    """The same in plain loops."""
    kinds, number, ground, both, pairs = [], [], [], [], []
    for n in range(len(true.present_BK)):
        is_there, said = (
            set(true.present_BK[n].nonzero()[:, 0].tolist()),
            set(read.present_BK[n].nonzero()[:, 0].tolist()),
        )
        kinds.append(is_there == said)
        number.append(len(is_there) == len(said))
        ground.append(int(read.background_B[n]) == int(true.background_B[n]))
        if len(is_there) == 2:
            both.append(is_there <= said)
        pairs += [(read.place_BK3[n, k].tolist(), true.place_BK3[n, k].tolist()) for k in is_there & said]
    found = {
        "kinds_right": np.mean(kinds),
        "number_right": np.mean(number),
        "background_right": np.mean(ground),
        "both_shown": np.mean(both),
    }
    said_P3, true_P3 = np.array([p for p, _ in pairs]), np.array([t for _, t in pairs])
    for axis, name in enumerate(("left_right", "height", "diameter")):
        error = ((said_P3[:, axis] - true_P3[:, axis]) ** 2).sum()
        spread = ((true_P3[:, axis] - true_P3[:, axis].mean()) ** 2).sum()
        found[f"{name}_r2"] = 1 - error / spread
        found[f"{name}_rank"] = spearmanr(said_P3[:, axis], true_P3[:, axis]).statistic
    return {name: float(value) for name, value in found.items()}


@pytest.mark.parametrize("seed", [0, 1])
def test_figures_equal_those_of_plain_loops(seed: int) -> None:
    read, true = drawn(seed=seed)
    assert scene_figures(read, true) == pytest.approx(slow(read, true), abs=1e-5)


def test_a_perfect_reading_has_every_figure_1() -> None:
    _, true = drawn()
    assert list(scene_figures(true, true).values()) == pytest.approx([1.0] * 10)


def test_pictures_in_which_nothing_is_found_have_figures_of_0() -> None:
    _, true = drawn()
    singles = Scene(*(part[20:] for part in true))
    assert "both_shown" not in scene_figures(singles, singles)
    blind = Scene(torch.zeros(40, 4), torch.zeros(40, 4, 3), true.background_B)
    found = scene_figures(blind, true)
    assert set(found) == set(scene_figures(true, true))
    assert {found[name] for name in found if name != "background_right"} == {0.0}


def test_batches_give_what_the_whole_gives() -> None:
    read, true = drawn()
    scores = SceneScores()

    def part(scene: Scene, rows: slice) -> Scene:
        parts: list[Tensor] = [one[rows] for one in scene]
        return Scene(*parts)

    for rows in (slice(0, 1), slice(1, 30), slice(30, 40)):
        scores.update(part(read, rows), part(true, rows))
    count, figures = scores.compute()
    assert count == 40
    assert figures == pytest.approx(scene_figures(read, true))
    scores.reset()
    scores.update(part(read, slice(0, 1)), part(true, slice(0, 1)))
    assert scores.compute()[0] == 1
