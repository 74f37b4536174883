import numpy as np
import pytest
import torch
from torch import nn

from sound2scene.models.spectral_norm import EPS, SNConv2d, SNLinear, fold


def layer(kind: str) -> SNConv2d | SNLinear:
    torch.manual_seed(0)
    made = SNConv2d(3, 5, 3) if kind == "conv" else SNLinear(7, 4)
    with torch.no_grad():
        made.weight.normal_()
    return made


def power_step(weight: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, float]:
    """One power step in float64: the new left vector and the singular value."""
    matrix = weight.reshape(len(weight), -1).astype(np.float64)
    v = u.astype(np.float64) @ matrix
    v /= max(np.linalg.norm(v), EPS)
    product = v @ matrix.T
    u = product / max(np.linalg.norm(product), EPS)
    return u, float((product * u).sum())


@pytest.mark.parametrize("kind", ["conv", "linear"])
@pytest.mark.parametrize("training", [True, False])
def test_the_weight_is_divided_by_the_value_of_one_power_step_stored_in_training_alone(
    kind: str, training: bool
) -> None:
    one = layer(kind).train(training)
    stored = one.u0.clone()
    u, sigma = power_step(one.weight.detach().numpy(), stored.numpy())
    given = torch.randn(2, 3, 6, 6) if kind == "conv" else torch.randn(2, 7)
    plain = nn.functional.conv2d if kind == "conv" else nn.functional.linear
    options = {"padding": 1} if kind == "conv" else {}
    expected = plain(given, one.weight.detach() / sigma, one.bias.detach(), **options)
    torch.testing.assert_close(one(given), expected, rtol=1e-4, atol=1e-5)
    kept = torch.from_numpy(u).float() if training else stored
    torch.testing.assert_close(one.u0, kept, rtol=1e-4, atol=1e-5)
    assert float(one.sv0) == pytest.approx(sigma if training else 1.0, rel=1e-4)


@pytest.mark.parametrize("kind", ["conv", "linear"])
def test_many_steps_find_the_largest_singular_value(kind: str) -> None:
    one = layer(kind)
    for _ in range(200):
        one.unit_weight(store=True)
    largest = float(torch.linalg.svdvals(one.weight.detach().flatten(1))[0])
    assert float(one.sv0) == pytest.approx(largest, rel=1e-4)


def test_gradient_flows_through_the_singular_value_too() -> None:
    one = layer("linear").double()
    direction = torch.randn(one.weight.shape, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((one.unit_weight() * direction).sum(), one.weight)
    # sigma is linear in the weight for constant vectors, so that scaling the weight changes nothing in the
    # end
    assert abs(float((gradient * one.weight).sum())) < 1e-9
    assert float(gradient.abs().max()) > 1e-3


def test_channels_last_changes_nothing() -> None:
    one = layer("conv").eval()
    given = torch.randn(2, 3, 6, 6)
    expected = one(given)
    last = one.to(memory_format=torch.channels_last)
    torch.testing.assert_close(
        last(given.to(memory_format=torch.channels_last)), expected, rtol=1e-5, atol=1e-5
    )


def test_a_folded_module_is_plain_and_gives_the_same_in_evaluation() -> None:
    whole = nn.Sequential(layer("conv"), nn.Flatten(), SNLinear(5 * 36, 4)).eval()
    folded = fold(whole)
    given = torch.randn(2, 3, 6, 6)
    torch.testing.assert_close(folded(given), whole(given), rtol=1e-5, atol=1e-6)
    assert [type(part) for part in folded] == [nn.Conv2d, nn.Flatten, nn.Linear]
    assert not any("u0" in name or "sv0" in name for name in folded.state_dict())
    assert any("u0" in name for name in whole.state_dict())  # the original is left alone
