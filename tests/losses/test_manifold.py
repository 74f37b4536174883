import numpy as np
import pytest
import torch
from torch import Tensor

from sound2scene.losses.manifold import CodebookLoss, HardestMean, squared_errors
from sound2scene.types import InputError


def maps(batch: int, width: int, side: int) -> tuple[Tensor, Tensor]:
    dice = torch.Generator().manual_seed(batch)
    return (
        torch.randn(batch, width, side, side, generator=dice),
        torch.randn(batch, width, side, side, generator=dice),
    )


@pytest.mark.parametrize("commitment", [0.0, 0.25, 2.0])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 4), (5, 2, 3)])
def test_the_codebook_loss_equals_sums_over_entries(shape: tuple[int, int, int], commitment: float) -> None:
    z_BDHW, code_BDHW = maps(*shape)
    total = 0.0
    for z, code in zip(z_BDHW.flatten().tolist(), code_BDHW.flatten().tolist(), strict=True):
        total += (code - z) ** 2 + commitment * (z - code) ** 2
    assert CodebookLoss(commitment)(z_BDHW, code_BDHW).item() == pytest.approx(
        total / z_BDHW.numel(), rel=1e-5
    )


def test_codes_follow_the_encoder_and_the_encoder_is_held_a_quarter_as_hard() -> None:
    z_BDHW, code_BDHW = (one.requires_grad_() for one in maps(2, 3, 2))
    CodebookLoss()(z_BDHW, code_BDHW).backward()
    difference_BDHW = 2 * (code_BDHW - z_BDHW).detach() / z_BDHW.numel()
    torch.testing.assert_close(code_BDHW.grad, difference_BDHW)
    torch.testing.assert_close(z_BDHW.grad, -0.25 * difference_BDHW)


@pytest.mark.parametrize("hardest", [None, 1, 2, 5, 9])
def test_the_hardest_examples_alone_count(hardest: int | None) -> None:
    error_G = torch.tensor([0.5, 3.0, 0.1, 2.0, 1.0])
    counted = sorted(error_G.tolist(), reverse=True)[:hardest]
    assert HardestMean(hardest)(error_G).item() == pytest.approx(float(np.mean(counted)), rel=1e-6)


def test_easy_examples_have_no_gradient() -> None:
    error_G = torch.tensor([0.5, 3.0, 0.1], requires_grad=True)
    HardestMean(1)(error_G).backward()
    assert error_G.grad is not None
    assert error_G.grad.tolist() == [0, 1, 0]


def test_the_error_of_an_example_is_the_mean_over_its_own_entries() -> None:
    z_BDHW, code_BDHW = maps(3, 2, 2)
    expected = [float(((z - code) ** 2).mean()) for z, code in zip(z_BDHW, code_BDHW, strict=True)]
    assert squared_errors(z_BDHW, code_BDHW).tolist() == pytest.approx(expected, rel=1e-6)


def test_a_setting_out_of_its_range_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"^error\.hardest is 0; set it to at least 1$"):
        HardestMean(0)
    with pytest.raises(InputError, match=r"^codebook_loss\.commitment is -1; set it to at least 0$"):
        CodebookLoss(-1)
