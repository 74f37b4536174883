import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from parity_fill import input_tensor, relative_error
from sound2scene.distributed import gather
from sound2scene.losses.swapped import SwappedPrediction, sinkhorn
from sound2scene.types import InputError
from two_ranks import on_two_ranks


def scores(samples: int, prototypes: int, seed: int = 0) -> Tensor:
    dice = torch.Generator().manual_seed(seed)
    return (
        normalize(torch.randn(samples, 16, generator=dice))
        @ normalize(torch.randn(prototypes, 16, generator=dice)).T
    )


def sinkhorn_by_hand(scores_NK: NDArray[np.float64], epsilon: float, iterations: int) -> NDArray[np.float64]:
    """Sinkhorn-Knopp as the published code (SwAV `main_swav.py`) writes it, in float64."""
    q_KN = np.exp(scores_NK / epsilon).T
    prototypes, samples = q_KN.shape
    q_KN /= q_KN.sum()
    for _ in range(iterations):
        q_KN /= q_KN.sum(1, keepdims=True) * prototypes
        q_KN /= q_KN.sum(0, keepdims=True) * samples
    return (q_KN * samples).T


@pytest.mark.parametrize(("samples", "prototypes"), [(1, 1), (4, 3), (3, 30), (64, 10)])
@pytest.mark.parametrize(("epsilon", "iterations"), [(0.05, 3), (0.5, 1), (0.03, 10)])
def test_codes_equal_the_papers_normalisations(
    samples: int, prototypes: int, epsilon: float, iterations: int
) -> None:
    given = scores(samples, prototypes)
    expected = sinkhorn_by_hand(given.double().numpy(), epsilon, iterations)
    np.testing.assert_allclose(sinkhorn(given, epsilon, iterations).numpy(), expected, rtol=1e-4, atol=1e-6)


def test_codes_equal_the_published_code(parity: Path) -> None:
    given = (
        normalize(input_tensor("sinkhorn_z", (32, 128))) @ normalize(input_tensor("sinkhorn_c", (300, 128))).T
    )
    assert relative_error(sinkhorn(given), np.load(parity / "public.npz")["swav_sinkhorn/assignments"]) < 1e-4


def test_swapped_loss_equals_the_published_code(parity: Path) -> None:
    prototypes = normalize(input_tensor("sinkhorn_c", (300, 128)))
    shared = input_tensor("swav_shared", (32, 128))
    views = [normalize(input_tensor(f"swav_view{view}", (32, 128)) + shared) for view in range(4)]
    scores_VBK = torch.stack(views) @ prototypes.T
    loss = SwappedPrediction()
    found = loss(scores_VBK, loss.codes(scores_VBK[:2]))
    assert relative_error(found, np.load(parity / "public.npz")["swav_swapped/loss"]) < 1e-4


def test_every_prototype_is_used_alike_and_every_sample_has_one_code() -> None:
    codes_NK = sinkhorn(scores(64, 8), iterations=100)
    torch.testing.assert_close(codes_NK.sum(1), torch.ones(64))
    torch.testing.assert_close(codes_NK.sum(0), torch.full((8,), 8.0), rtol=1e-3, atol=0)


def test_leading_axes_are_solved_apart_and_small_epsilons_do_not_overflow() -> None:
    one, other = scores(9, 5), scores(9, 5, seed=1)
    both = sinkhorn(torch.stack([one, other]), epsilon=1e-3)
    assert torch.equal(both[0], sinkhorn(one, epsilon=1e-3))
    assert torch.equal(both[1], sinkhorn(other, epsilon=1e-3))
    assert torch.isfinite(both).all()  # exp(1 / 0.001) is infinite in float32


@pytest.mark.parametrize(("views", "coded"), [(2, 2), (5, 2), (3, 1)])
def test_loss_equals_its_definition(views: int, coded: int) -> None:
    scores_VBK = torch.stack([scores(6, 4, seed) for seed in range(views)])
    loss = SwappedPrediction(temperature=0.3)
    codes_ABK = loss.codes(scores_VBK[:coded])
    total = 0.0
    for one in range(coded):
        for other in set(range(views)) - {one}:
            for picture in range(6):
                logits = scores_VBK[other, picture].double().numpy() / 0.3
                log_p = logits - np.log(np.exp(logits).sum())
                total -= float((codes_ABK[one, picture].double().numpy() * log_p).sum())
    assert loss(scores_VBK, codes_ABK).item() == pytest.approx(total / 6 / coded / (views - 1), rel=1e-5)


def test_codes_carry_no_gradient_and_predictions_do() -> None:
    scores_VBK = torch.stack([scores(6, 4), scores(6, 4, 1)]).requires_grad_()
    loss = SwappedPrediction()
    codes_ABK = loss.codes(scores_VBK)
    assert not codes_ABK.requires_grad
    loss(scores_VBK, codes_ABK).backward()
    assert scores_VBK.grad is not None
    assert scores_VBK.grad.abs().max() > 0


def test_equal_scores_cost_the_chance_level() -> None:
    flat_VBK = torch.zeros(2, 5, 7)
    loss = SwappedPrediction()
    assert (
        loss(flat_VBK, loss.codes(flat_VBK)).item()
        == pytest.approx(loss.chance(7))
        == pytest.approx(math.log(7))
    )


@pytest.mark.parametrize("name", ["temperature", "epsilon", "iterations"])
@pytest.mark.parametrize("value", [0, -1, math.inf])
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name} is {value}"):
        SwappedPrediction(**{name: value})  # type: ignore[arg-type]


def _codes_of_rank(rank: int) -> Tensor:
    # Ranks may hold different numbers of samples.
    mine = scores(20, 6)[:13] if rank == 0 else scores(20, 6)[13:]
    return sinkhorn(mine, gather=gather)


def test_two_processes_settle_the_codes_of_the_whole_batch(tmp_path: Path) -> None:
    whole = sinkhorn(scores(20, 6))
    torch.testing.assert_close(torch.cat(on_two_ranks(_codes_of_rank, tmp_path)), whole, rtol=1e-5, atol=1e-7)
    alone = torch.cat([sinkhorn(scores(20, 6)[:13]), sinkhorn(scores(20, 6)[13:])])
    assert not torch.allclose(alone, whole, rtol=1e-2)  # ranks that do not talk get other codes
