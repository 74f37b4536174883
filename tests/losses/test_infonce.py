import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, relu

import oracles
from parity_fill import input_tensor, relative_error
from sound2scene.losses.infonce import CosineInfoNCE, L2InfoNCE
from sound2scene.types import InputError

Loss = type[L2InfoNCE] | type[CosineInfoNCE]
LOSSES: list[Loss] = [L2InfoNCE, CosineInfoNCE]
both = pytest.mark.parametrize("loss_class", LOSSES)


def latents(pairs: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(pairs, width, generator=generator), torch.randn(pairs, width, generator=generator)


def orthogonal(pairs: int) -> tuple[Tensor, Tensor]:
    """Two times `pairs` orthogonal rows, of any length."""
    rows = torch.eye(2 * pairs) * torch.linspace(0.5, 3, 2 * pairs)
    return rows[:pairs], rows[pairs:]


@pytest.mark.parametrize("temperature", [1.0, 0.2])
@pytest.mark.parametrize(("pairs", "width"), [(1, 3), (2, 2), (3, 17), (9, 5), (30, 64)])
@both
def test_equals_the_papers_sums(loss_class: Loss, pairs: int, width: int, temperature: float) -> None:
    z_audio_GD, z_image_GD = latents(pairs, width)

    def logit(one: oracles.FloatArray, other: oracles.FloatArray) -> float:
        near = oracles.cosine(one, other) if loss_class is CosineInfoNCE else -oracles.l2_distance(one, other)
        return near / temperature

    expected = oracles.symmetric_infonce(z_audio_GD.numpy(), z_image_GD.numpy(), logit)
    assert loss_class(temperature)(z_audio_GD, z_image_GD).item() == pytest.approx(
        expected, rel=1e-6, abs=1e-7
    )


def published_input() -> tuple[Tensor, Tensor]:
    audio = input_tensor("loss_audio", (64, 2048)).abs()
    return audio.requires_grad_(), 0.5 * input_tensor("loss_image", (64, 2048)).abs() + 0.5 * audio.detach()


def test_l2_loss_and_gradient_equal_the_published_code(parity: Path) -> None:
    expected = np.load(parity / "public.npz")
    z_audio_GD, z_image_GD = published_input()
    loss = L2InfoNCE()(z_audio_GD, z_image_GD)
    loss.backward()
    assert relative_error(loss.detach(), expected["infonce_l2/loss"]) < 1e-4
    assert relative_error(z_audio_GD.grad.norm(), expected["infonce_l2/grad_audio_norm"]) < 1e-4
    assert relative_error(z_audio_GD.grad[0], expected["infonce_l2/grad_audio_first_row"]) < 1e-4


def test_cosine_loss_equals_the_published_code(parity: Path) -> None:
    loss = CosineInfoNCE(temperature=1.0)(*published_input()).detach()
    assert relative_error(loss, np.load(parity / "public.npz")["infonce_cosine_T1/loss"]) < 1e-4


@both
def test_only_who_belongs_to_whom_matters(loss_class: Loss) -> None:
    z_audio_GD, z_image_GD = latents(12, 8)
    loss, order = loss_class(), torch.randperm(12, generator=torch.Generator().manual_seed(1))
    whole = pytest.approx(loss(z_audio_GD, z_image_GD).item(), rel=1e-6)
    assert loss(z_audio_GD[order], z_image_GD[order]).item() == whole
    assert loss(z_image_GD, z_audio_GD).item() == whole
    assert loss(z_audio_GD * torch.linspace(0.1, 9, 12)[:, None], z_image_GD).item() == whole
    assert loss(z_audio_GD[order], z_image_GD).item() != whole


@pytest.mark.parametrize("pairs", [1, 2, 64])
@both
def test_equal_distances_give_chance_level(loss_class: Loss, pairs: int) -> None:
    loss = loss_class()
    assert loss(*orthogonal(pairs)).item() == pytest.approx(loss.chance(pairs), abs=1e-6)
    assert loss.chance(pairs) == math.log(pairs)


@pytest.mark.parametrize("pairs", [1, 2, 64])
@pytest.mark.parametrize("temperature", [1.0, 0.3])
@both
def test_pairs_that_meet_among_orthogonal_others_give_the_floor(
    loss_class: Loss, temperature: float, pairs: int
) -> None:
    loss, (rows, _) = loss_class(temperature), orthogonal(pairs)
    assert loss(rows, 2 * rows).item() == pytest.approx(loss.floor(pairs), abs=1e-6)


def test_the_papers_batch_lives_between_2_792_and_4_159() -> None:
    assert (round(L2InfoNCE().floor(64), 3), round(L2InfoNCE().chance(64), 3)) == (2.792, 4.159)


@both
def test_no_non_negative_latents_get_below_the_floor_and_training_comes_near(loss_class: Loss) -> None:
    loss = loss_class(1.0)
    raw_2GD, values = torch.stack(latents(6, 16)), []
    for _ in range(200):
        raw_2GD.requires_grad_()
        value = loss(*(relu(raw_2GD) + 1e-6))
        (gradient_2GD,) = torch.autograd.grad(value, raw_2GD)
        raw_2GD = raw_2GD.detach() - 5 * gradient_2GD
        values.append(value.item())
    assert values[0] > loss.floor(6) + 0.3
    assert loss.floor(6) - 1e-6 < min(values) < loss.floor(6) + 0.02


@both
def test_one_pair_has_nothing_to_learn_from(loss_class: Loss) -> None:
    z_audio_GD, z_image_GD = latents(1, 8)
    loss = loss_class()(z_audio_GD.requires_grad_(), z_image_GD)
    loss.backward()
    assert loss.item() == 0
    assert not z_audio_GD.grad.any()


@both
def test_a_fixed_temperature_is_no_parameter_and_a_learnable_one_gets_a_gradient(loss_class: Loss) -> None:
    assert list(loss_class(0.5).parameters()) == []
    loss = loss_class(0.5, learnable=True)
    (log_scale,) = loss.parameters()
    loss(*latents(8, 4)).backward()
    step = 1e-3
    values = [loss_class(0.5 * math.exp(sign * step))(*latents(8, 4)).item() for sign in (1, -1)]
    assert log_scale.grad.item() == pytest.approx((values[1] - values[0]) / (2 * step), rel=1e-2)
    before = loss.floor(8)
    with torch.no_grad():
        log_scale += 1
    assert loss.floor(8) == pytest.approx(loss_class(0.5 / math.e).floor(8), rel=1e-6) != before


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
@both
def test_a_temperature_that_is_none_is_refused(loss_class: Loss, temperature: float) -> None:
    with pytest.raises(InputError, match=f"temperature is {temperature}; choose"):
        loss_class(temperature)


@both
def test_gradient_is_finite_where_pairs_coincide_exactly(loss_class: Loss) -> None:
    z_image_GD = latents(40, 64)[0]
    z_audio_GD = z_image_GD.clone().requires_grad_()
    loss_class()(z_audio_GD, z_image_GD).backward()
    assert torch.isfinite(z_audio_GD.grad).all()
    assert z_audio_GD.grad.any()


@pytest.mark.parametrize("noise", [1e-2, 1e-3, 1e-4])
def test_gradient_is_right_where_pairs_nearly_meet(noise: float) -> None:
    z_image_GD, other_GD = latents(40, 256)
    z_audio_GD = z_image_GD + noise * other_GD

    def plainly(z_audio_GD: Tensor) -> Tensor:
        one_G1D, other_1GD = (
            normalize(z_image_GD.double(), dim=1)[:, None],
            normalize(z_audio_GD.double(), dim=1)[None],
        )
        logits_GG, target_G = -(one_G1D - other_1GD).norm(dim=2), torch.arange(40)
        return (cross_entropy(logits_GG, target_G) + cross_entropy(logits_GG.T, target_G)) / 2

    got, expected = (
        torch.autograd.grad(loss(z), z)[0].double()
        for loss in (lambda z: L2InfoNCE()(z, z_image_GD), plainly)
        for z in [z_audio_GD.clone().requires_grad_()]
    )
    assert (got - expected).norm() / expected.norm() < 1e-3


@both
def test_bf16_autocast_does_not_reach_inside(loss_class: Loss) -> None:
    z_audio_GD, z_image_GD = latents(20, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss_class()(z_audio_GD, z_image_GD)
        halves = loss_class()(z_audio_GD.bfloat16(), z_image_GD)
    assert inside.dtype == halves.dtype == torch.float32
    assert inside == loss_class()(z_audio_GD, z_image_GD)
    assert halves == loss_class()(z_audio_GD.bfloat16().float(), z_image_GD)


@both
def test_a_step_along_the_gradient_lowers_the_loss(loss_class: Loss) -> None:
    loss, (z_audio_GD, z_image_GD) = loss_class(), latents(10, 6)
    values = []
    for _ in range(5):
        z_audio_GD = z_audio_GD.detach().requires_grad_()
        value = loss(z_audio_GD, z_image_GD)
        value.backward()
        z_audio_GD = z_audio_GD - 0.5 * z_audio_GD.grad
        values.append(value.item())
    assert all(after < before for before, after in pairwise(values))


@both
def test_both_directions_are_the_mean_of_one_and_the_other(loss_class: Loss) -> None:
    z_audio_GD, z_image_GD = latents(7, 5)
    one, other = (loss_class(1.0, direction=way) for way in ("audio_to_image", "image_to_audio"))
    whole = loss_class(1.0)(z_audio_GD, z_image_GD)
    assert one(z_audio_GD, z_image_GD) == other(z_image_GD, z_audio_GD)
    assert one(z_audio_GD, z_image_GD) != other(z_audio_GD, z_image_GD)
    assert (one(z_audio_GD, z_image_GD) + other(z_audio_GD, z_image_GD)) / 2 == pytest.approx(whole)


def test_one_direction_asks_each_sound_for_its_picture() -> None:
    z_audio_GD, z_image_GD = latents(6, 4)
    distance_GG = torch.cdist(normalize(z_audio_GD.double()), normalize(z_image_GD.double()))
    expected = cross_entropy(-distance_GG, torch.arange(6))  # each row is a sound
    assert L2InfoNCE(direction="audio_to_image")(z_audio_GD, z_image_GD) == pytest.approx(expected.item())


def test_latents_may_keep_their_lengths() -> None:
    z_audio_GD, z_image_GD = latents(6, 4)
    loss = L2InfoNCE(unit=False)
    distance_GG = torch.cdist(z_image_GD.double(), z_audio_GD.double())
    target_G = torch.arange(6)
    expected = (cross_entropy(-distance_GG, target_G) + cross_entropy(-distance_GG.T, target_G)) / 2
    assert loss(z_audio_GD, z_image_GD) == pytest.approx(expected.item())
    assert loss.floor(6) == 0.0
    far_GD = 100 * torch.eye(6)
    assert loss(far_GD, far_GD) == pytest.approx(0.0, abs=1e-9)
