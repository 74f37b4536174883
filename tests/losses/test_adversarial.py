import math

import numpy as np
import pytest
import torch
from torch import Tensor

from sound2scene.losses.adversarial import AbsoluteLoss, HingeLoss, NonSaturatingLoss, slope_penalty


def scores(count: int, seed: int) -> Tensor:
    return 2 * torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("count", [1, 2, 17])
def test_hinge_equals_the_formula(count: int) -> None:
    real, fake = scores(count, 0), scores(count, 1)
    expected = np.mean([max(0.0, 1 - x) for x in real.tolist()]) + np.mean(
        [max(0.0, 1 + x) for x in fake.tolist()]
    )
    assert float(HingeLoss().discriminator(real, fake)) == pytest.approx(expected, rel=1e-6)
    assert float(HingeLoss().generator(fake)) == pytest.approx(-np.mean(fake.tolist()), rel=1e-6)


@pytest.mark.parametrize("count", [1, 2, 17])
def test_non_saturating_equals_the_formula(count: int) -> None:
    real, fake = scores(count, 0), scores(count, 1)

    def log_sigmoid(x: float) -> float:
        return -math.log1p(math.exp(-x))

    expected = -np.mean([log_sigmoid(x) for x in real.tolist()]) - np.mean(
        [log_sigmoid(-x) for x in fake.tolist()]
    )
    assert float(NonSaturatingLoss().discriminator(real, fake)) == pytest.approx(expected, rel=1e-5)
    expected = -np.mean([log_sigmoid(x) for x in fake.tolist()])
    assert float(NonSaturatingLoss().generator(fake)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("count", [1, 2, 17])
def test_absolute_error_equals_the_formula(count: int) -> None:
    real, fake = scores(count, 0).tanh(), scores(count, 1).tanh()
    expected = np.mean([abs(1 - x) for x in real.tolist()]) + np.mean([abs(-1 - x) for x in fake.tolist()])
    assert float(AbsoluteLoss().discriminator(real, fake)) == pytest.approx(expected, rel=1e-6)
    expected = np.mean([abs(1 - x) for x in fake.tolist()])
    assert float(AbsoluteLoss().generator(fake)) == pytest.approx(expected, rel=1e-6)


def test_levels_at_indifference_and_at_certainty() -> None:
    zero, sure = torch.zeros(5), torch.full((5,), 40.0)
    assert float(HingeLoss().discriminator(zero, zero)) == 2
    assert float(HingeLoss().discriminator(sure, -sure)) == 0
    assert float(NonSaturatingLoss().discriminator(zero, zero)) == pytest.approx(2 * math.log(2))
    assert float(NonSaturatingLoss().generator(zero)) == pytest.approx(math.log(2))
    assert float(AbsoluteLoss().discriminator(zero, zero)) == 2
    assert float(AbsoluteLoss().discriminator(zero + 1, zero - 1)) == 0
    assert float(AbsoluteLoss().generator(zero)) == 1
    assert float(NonSaturatingLoss().discriminator(sure, -sure)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("loss", [HingeLoss(), NonSaturatingLoss()])
def test_the_generator_wants_higher_scores_and_the_discriminator_lower_ones(
    loss: HingeLoss | NonSaturatingLoss,
) -> None:
    fake = torch.zeros(3, requires_grad=True)
    (up,) = torch.autograd.grad(loss.generator(fake), fake)
    (down,) = torch.autograd.grad(loss.discriminator(torch.zeros(3), fake), fake)
    assert (up < 0).all()
    assert (down > 0).all()


def test_the_slope_penalty_of_a_linear_score_is_half_its_squared_norm_and_moves_the_weights() -> None:
    weight = torch.randn(3 * 4 * 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    image = torch.randn(5, 3, 4, 4, requires_grad=True)
    penalty = slope_penalty(image.flatten(1) @ weight, image)
    assert float(penalty) == pytest.approx(float(weight.detach().square().sum()) / 2, rel=1e-5)
    (moved,) = torch.autograd.grad(penalty, weight)
    assert torch.allclose(moved, weight.detach(), atol=1e-5)
