import numpy as np
import pytest
import torch

from sound2scene.losses.scene import SceneLoss
from sound2scene.types import InputError, Scene


def test_the_loss_is_the_formula_in_numpy_and_ignores_places_of_what_is_absent() -> None:
    dice = torch.Generator().manual_seed(0)
    logits_BK, place_BK3 = torch.randn(6, 3, generator=dice), torch.rand(6, 3, 3, generator=dice)
    background_BG = torch.randn(6, 4, generator=dice)
    present_BK = (torch.rand(6, 3, generator=dice) > 0.5).float()
    scene = Scene(present_BK, torch.rand(6, 3, 3, generator=dice), torch.tensor([0, 1, 2, 3, 0, 1]))
    found = SceneLoss(place=3.0, beta=0.1)((logits_BK, place_BK3, background_BG), scene)

    z, y = logits_BK.double().numpy(), present_BK.double().numpy()
    kinds = 3 * np.mean(np.log1p(np.exp(-z)) * y + np.log1p(np.exp(z)) * (1 - y))
    d = np.abs(place_BK3.double().numpy() - scene.place_BK3.double().numpy())
    smooth = np.where(d < 0.1, d**2 / 0.2, d - 0.05).sum(2)
    place = (smooth * y).sum() / y.sum()
    g = background_BG.double().numpy()
    ground = np.mean(np.log(np.exp(g).sum(1)) - g[np.arange(6), scene.background_B.numpy()])
    assert float(found) == pytest.approx(kinds + 3 * place + ground, rel=1e-5)

    elsewhere = torch.where(present_BK[:, :, None] > 0, place_BK3, place_BK3 + 5)
    assert torch.equal(SceneLoss(3.0, 0.1)((logits_BK, elsewhere, background_BG), scene), found)


def test_weights_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match=r"loss\.beta is 0"):
        SceneLoss(beta=0)
