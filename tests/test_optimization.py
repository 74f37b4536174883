import inspect
import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from sound2scene.optimization import (
    LARC,
    WarmupCosine,
    warmup_cosine,
)
from sound2scene.stages.align import AlignStage
from sound2scene.stages.gan import GanStage
from sound2scene.stages.judge import JudgeStage
from sound2scene.stages.localizer import LocalizerStage
from sound2scene.stages.manifold import AudioStage, AutoencoderStage
from sound2scene.stages.reader import ReaderStage
from sound2scene.stages.s2i import S2IStage
from sound2scene.stages.s2i_audio import S2IAudioStage


def usual(stage: type, name: str) -> torch.optim.Optimizer:
    """The optimizer that a stage takes where a recipe names none."""
    optimizer = inspect.signature(stage).parameters[name].default([nn.Parameter(torch.zeros(1))])
    assert isinstance(optimizer, torch.optim.Optimizer)
    return optimizer


def groups(*rates: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates])


def walk(
    optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LambdaLR, steps: int
) -> list[list[float]]:
    """Rates of every group before each of `steps` steps and after the last."""
    rates = [[group["lr"] for group in optimizer.param_groups]]
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        rates.append([group["lr"] for group in optimizer.param_groups])
    return rates


def test_rates_at_the_start_the_top_half_way_and_the_end() -> None:
    optimizer = groups(0.4)
    rates = [rate for (rate,) in walk(optimizer, warmup_cosine(optimizer, 110, 10), 130)]
    assert rates[0] == pytest.approx(0.04)
    assert rates[5] == pytest.approx((0.04 + 0.4) / 2)
    assert rates[10] == 0.4
    assert rates[60] == pytest.approx(0.2)
    assert rates[110:] == [0.0] * 21
    assert max(rates) == rates[10]


@pytest.mark.parametrize(("steps", "warmup_steps"), [(50, 7), (50, 0), (1, 0), (20, 20), (20, 1)])
@pytest.mark.parametrize("final_share", [0.0, 0.1, 1.0])
def test_every_group_follows_the_curve_at_its_own_height(
    steps: int, warmup_steps: int, final_share: float
) -> None:
    optimizer = groups(1.0, 0.01)
    found = walk(optimizer, warmup_cosine(optimizer, steps, warmup_steps, final_share), steps)
    for step, rates in enumerate(found):
        if step < warmup_steps:
            first = 1 / warmup_steps
            share = first * (1 - step / warmup_steps) + step / warmup_steps
        elif step == warmup_steps:
            share = 1.0
        else:
            angle = math.pi * (step - warmup_steps) / (steps - warmup_steps)
            share = final_share + (1 - final_share) * math.cos(angle / 2) ** 2
        assert rates == pytest.approx([share, 0.01 * share], abs=1e-12), step


@pytest.mark.parametrize("stop", [3, 10, 25])
def test_a_resumed_schedule_goes_on_as_if_never_stopped(stop: int) -> None:
    optimizer = groups(0.3, 0.1)
    whole = walk(optimizer, warmup_cosine(optimizer, 40, 10, 0.2), 40)
    first = groups(0.3, 0.1)
    schedule = warmup_cosine(first, 40, 10, 0.2)
    walk(first, schedule, stop)
    second = groups(0.3, 0.1)
    resumed = warmup_cosine(second, 40, 10, 0.2)
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    assert walk(second, resumed, 40 - stop) == whole[stop:]


def test_building_and_stepping_a_schedule_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = groups(0.3)
        walk(optimizer, warmup_cosine(optimizer, 10, 4), 12)


def test_adam_is_the_published_one() -> None:
    (group,) = usual(AlignStage, "optimizer").param_groups
    settings = {
        name: group[name] for name in ("lr", "betas", "eps", "weight_decay", "decoupled_weight_decay")
    }
    assert settings == {
        "lr": 1e-3,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 1e-5,
        "decoupled_weight_decay": False,
    }


def test_published_swav_rates() -> None:
    """From 0.3 to 4.8 over 10 epochs of 312 steps, then a cosine to 0.0048 at the end of 200."""
    optimizer = groups(4.8)
    schedule = WarmupCosine()(optimizer, 200 * 312)
    share = schedule.lr_lambdas[0]
    assert 4.8 * share(0) == pytest.approx(0.3)
    assert 4.8 * share(1560) == pytest.approx((0.3 + 4.8) / 2)
    assert 4.8 * share(3120) == pytest.approx(4.8)
    half_way = 3120 + (200 * 312 - 3120) // 2
    assert 4.8 * share(half_way) == pytest.approx((4.8 + 0.0048) / 2)
    assert 4.8 * share(200 * 312) == pytest.approx(0.0048)


def larc_by_hand(
    weight: np.ndarray, gradients: np.ndarray, lr: float, momentum: float, decay: float, trust: float
) -> np.ndarray:
    """The published rule in NumPy: scale the decayed gradient by the ratio of norms, then plain momentum."""
    weight, buffer = weight.copy(), None
    for gradient in gradients:
        norms = np.linalg.norm(weight), np.linalg.norm(gradient)
        if norms[0] and norms[1]:
            scale = trust * norms[0] / (norms[1] + decay * norms[0] + 1e-8)
            step = (gradient + decay * weight) * scale
        else:
            step = gradient
        buffer = step if buffer is None else momentum * buffer + step
        weight = weight - lr * buffer
    return weight


@pytest.mark.parametrize("shape", [(5, 7), (6,), (2, 3, 3, 3)], ids=["linear", "bias", "convolution"])
@pytest.mark.parametrize("decay", [1e-6, 0.1])
def test_larc_equals_its_formula_over_several_steps(shape: tuple[int, ...], decay: float) -> None:
    dice = np.random.default_rng(0)
    start, gradients = dice.standard_normal(shape), dice.standard_normal((4, *shape)) * 10
    parameter = nn.Parameter(torch.tensor(start))
    optimizer = LARC([parameter], lr=0.6, momentum=0.9, weight_decay=decay)
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
    expected = larc_by_hand(start, gradients, 0.6, 0.9, decay, 1e-3)
    np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=1e-6)
    assert not np.allclose(expected, start)


def test_larc_leaves_a_tensor_of_zeros_to_plain_descent() -> None:
    parameter = nn.Parameter(torch.zeros(3))
    parameter.grad = torch.ones(3)
    LARC([parameter], lr=0.5).step()
    assert torch.allclose(parameter.detach(), torch.full((3,), -0.5))


def numbers(optimizer: torch.optim.Optimizer) -> dict[str, object]:
    return {name: optimizer.defaults[name] for name in ("lr", "betas", "eps", "weight_decay")}


def test_the_published_optimizers_have_the_published_numbers() -> None:
    audio = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 1e-5}
    icgan = {"betas": (0.0, 0.999), "eps": 1e-6, "weight_decay": 0.0}
    for stage in (AlignStage, JudgeStage, LocalizerStage, ReaderStage):
        assert numbers(usual(stage, "optimizer")) == audio
    assert numbers(usual(GanStage, "generator_optimizer")) == icgan | {"lr": 4e-5}
    assert numbers(usual(GanStage, "discriminator_optimizer")) == icgan | {"lr": 1e-4}
    for network in ("generator", "discriminator"):
        dcgan = {"lr": 2e-4, "betas": (0.5, 0.999), "eps": 1e-8, "weight_decay": 0.0}
        assert numbers(usual(S2IStage, f"{network}_optimizer")) == dcgan
    for manifold in (AutoencoderStage, AudioStage):
        assert numbers(usual(manifold, "optimizer")) == audio | {"lr": 1e-4, "weight_decay": 0.0}
    reconstruction = usual(S2IAudioStage, "optimizer")
    assert isinstance(reconstruction, torch.optim.SGD)
    assert (reconstruction.defaults["lr"], reconstruction.defaults["momentum"]) == (0.05, 0.9)
