from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import oracles
from parity_fill import input_tensor, relative_error
from sound2scene.losses.regression import L2, MSE


def latents(pairs: int, width: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(pairs)
    return torch.randn(pairs, width, generator=generator), torch.randn(pairs, width, generator=generator)


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize(("pairs", "width"), [(1, 1), (2, 3), (7, 5), (30, 64)])
def test_equal_sums_over_pairs(pairs: int, width: int, unit: bool) -> None:
    z_audio_GD, z_image_GD = latents(pairs, width)
    squares = []
    for audio, image in zip(z_audio_GD.double().numpy(), z_image_GD.double().numpy(), strict=True):
        plain = sum((x - y) ** 2 for x, y in zip(audio, image, strict=True))
        squares.append(oracles.l2_distance(audio, image) ** 2 if unit else plain)
    distances = [square**0.5 for square in squares]
    assert L2(unit)(z_audio_GD, z_image_GD).item() == pytest.approx(
        sum(distances) / pairs, rel=1e-5, abs=1e-6
    )
    assert MSE(unit)(z_audio_GD, z_image_GD).item() == pytest.approx(
        sum(squares) / pairs / width, rel=1e-5, abs=1e-6
    )


def test_mse_equals_the_published_l2_baseline(parity: Path) -> None:
    audio = input_tensor("loss_audio", (64, 2048)).abs()
    image = 0.5 * input_tensor("loss_image", (64, 2048)).abs() + 0.5 * audio
    assert relative_error(MSE()(audio, image), np.load(parity / "public.npz")["l2_mse/loss"]) < 1e-4


@pytest.mark.parametrize("loss", [L2(), L2(unit=True), MSE(), MSE(unit=True)], ids=repr)
def test_each_pair_stands_alone(loss: L2 | MSE) -> None:
    z_audio_GD, z_image_GD = latents(6, 4)
    others_GD = z_image_GD.clone()
    others_GD[1:] += 1
    first = []
    for target_GD in (z_image_GD, others_GD):
        z_audio_GD = z_audio_GD.detach().clone().requires_grad_()
        loss(z_audio_GD, target_GD).backward()
        first.append(z_audio_GD.grad[0])
    assert first[0].any()
    assert torch.equal(*first)


@pytest.mark.parametrize("loss", [L2(), L2(unit=True), MSE(), MSE(unit=True)], ids=repr)
def test_pairs_that_coincide_cost_nothing_and_the_gradient_is_zero_not_nan(loss: L2 | MSE) -> None:
    z_audio_GD = latents(5, 4)[0].requires_grad_()
    value = loss(z_audio_GD, z_audio_GD.detach().clone())
    value.backward()
    assert value.item() == 0
    assert not z_audio_GD.grad.any()


@pytest.mark.parametrize("loss_class", [L2, MSE])
def test_unit_makes_lengths_irrelevant(loss_class: type[L2] | type[MSE]) -> None:
    z_audio_GD, z_image_GD = latents(5, 4)
    for unit in (True, False):
        change = loss_class(unit)(3 * z_audio_GD, z_image_GD) - loss_class(unit)(z_audio_GD, z_image_GD)
        assert (change.abs() < 1e-6) == unit


@pytest.mark.parametrize("loss", [L2(), L2(unit=True), MSE(), MSE(unit=True)], ids=repr)
def test_bf16_autocast_does_not_reach_inside(loss: L2 | MSE) -> None:
    z_audio_GD, z_image_GD = latents(20, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(z_audio_GD, z_image_GD)
        halves = loss(z_audio_GD.bfloat16(), z_image_GD.bfloat16())
    assert inside == loss(z_audio_GD, z_image_GD)
    assert halves == loss(z_audio_GD.bfloat16().float(), z_image_GD.bfloat16().float())
