from pathlib import Path

import pytest
import torch
from torch import nn

from sound2scene.models.conditional_norm import ConditionalBatchNorm, OutputBatchNorm, synchronise_norms
from two_ranks import on_two_ranks

GENERATOR = torch.Generator()


def image(seed: int = 0) -> torch.Tensor:
    return 3 + 2 * torch.randn(6, 4, 5, 5, generator=GENERATOR.manual_seed(seed))


def test_training_normalises_by_the_batch_and_evaluation_by_the_running_averages() -> None:
    norm, given = OutputBatchNorm(4), image()
    twin = nn.BatchNorm2d(4)
    torch.testing.assert_close(norm(given), twin(given), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(norm.stored_mean, twin.running_mean)
    torch.testing.assert_close(norm.stored_var, twin.running_var)
    torch.testing.assert_close(norm.eval()(given), twin.eval()(given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_gain_is_one_plus_a_linear_map_of_the_condition_and_bias_another(training: bool) -> None:
    torch.manual_seed(0)
    norm, given, condition = ConditionalBatchNorm(4, 3), image(), torch.randn(6, 3)
    norm.train(training)
    twin = nn.BatchNorm2d(4, affine=False).train(training)
    gain = 1 + condition @ norm.gain.unit_weight().T
    bias = condition @ norm.bias.unit_weight().T
    expected = twin(given) * gain[:, :, None, None] + bias[:, :, None, None]
    torch.testing.assert_close(norm(given, condition), expected, rtol=1e-4, atol=1e-4)


def pull(norm: nn.Module, given: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Output, and gradient of a loss that is a mean over pictures."""
    given = given.clone().requires_grad_()
    shown = norm(given)
    shown.pow(3).mean().backward()
    assert given.grad is not None
    return shown.detach(), given.grad


def half(rank: int) -> dict[str, torch.Tensor]:
    norm = OutputBatchNorm(4)
    synchronise_norms(norm)
    shown, gradient = pull(norm, image()[3 * rank : 3 * rank + 3])
    return {"shown": shown, "gradient": gradient, "mean": norm.stored_mean, "var": norm.stored_var}


def test_two_synchronised_processes_equal_one_with_the_whole_batch(tmp_path: Path) -> None:
    norm = OutputBatchNorm(4)
    shown, gradient = pull(norm, image())
    first, second = on_two_ranks(half, tmp_path)
    torch.testing.assert_close(torch.cat([first["shown"], second["shown"]]), shown, rtol=1e-4, atol=1e-5)
    # each rank's loss is a mean over half the pictures, which DDP's average over ranks makes up for
    both = torch.cat([first["gradient"], second["gradient"]]) / 2
    torch.testing.assert_close(both, gradient, rtol=1e-3, atol=1e-6)
    for found in (first, second):
        torch.testing.assert_close(found["mean"], norm.stored_mean, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found["var"], norm.stored_var, rtol=1e-5, atol=1e-6)
