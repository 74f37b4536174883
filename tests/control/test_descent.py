from pathlib import Path

import pytest
import torch
from torch import Tensor

from sound2scene.control.descent import Descent, keep, kept, parts_of
from sound2scene.types import InputError

RATES = (0.1, 0.05)


def begun(rates: tuple[float, float] = RATES, steps: int = 40) -> Descent:
    dice = torch.Generator().manual_seed(0)
    return Descent(torch.randn(3, 4, generator=dice), torch.randn(3, 6, generator=dice), steps, rates)


def valley(noise_RZ: Tensor, z_RD: Tensor, row_R: Tensor) -> tuple[Tensor, Tensor]:
    """Lowest where noise is 0.5 and all entries of a feature are alike."""
    even_RD = torch.nn.functional.normalize(z_RD, dim=1) - z_RD.shape[1] ** -0.5
    return (noise_RZ - 0.5).square().sum(1) + even_RD.square().sum(1), row_R.float()


def descended(descent: Descent, steps: int, at_once: int = 8) -> list[Tensor]:
    return [descent.advance(valley, at_once)[0] for _ in range(steps)]


def test_noise_and_feature_reach_the_bottom() -> None:
    losses = descended(begun(steps=150), 150)
    assert losses[-1].max() < 0.1 * losses[0].min()


def test_features_keep_unit_length() -> None:
    descent = begun()
    descended(descent, 5)
    torch.testing.assert_close(descent.features().norm(dim=1), torch.ones(3))


def test_a_feature_without_a_rate_stays_as_it_is_to_the_last_bit() -> None:
    descent = begun((0.1, 0.0))
    before_RD = descent.features().clone()
    descended(descent, 5)
    assert torch.equal(descent.features(), before_RD)


@pytest.mark.parametrize("at_once", [1, 2, 8])
def test_a_row_ends_where_it_ends_alone(at_once: int) -> None:
    together, other = begun(), begun()
    alone = Descent(other.noise_RZ[1:2], other.features()[1:2], 40, RATES)
    descended(together, 10, at_once), descended(alone, 10)
    torch.testing.assert_close(together.noise_RZ[1:2], alone.noise_RZ)


@pytest.mark.parametrize("rates", [RATES, (0.1, 0.0)])
@pytest.mark.parametrize("steps", [0, 1, 17])
def test_a_descent_that_was_kept_goes_on_as_if_it_had_never_stopped(
    steps: int, rates: tuple[float, float], tmp_path: Path
) -> None:
    whole, half, again = begun(rates), begun(rates), begun(rates)
    descended(whole, 30), descended(half, steps)
    keep(tmp_path / "state", half.tensors(), {"a": "b"})
    found = kept(tmp_path / "state")
    assert found is not None
    again.restore(found[0], steps)
    descended(again, 30 - steps)
    assert found[1] == {"a": "b"}
    assert torch.equal(again.noise_RZ, whole.noise_RZ)
    assert torch.equal(again.features(), whole.features())


def test_no_state_is_none_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    assert kept(tmp_path / "none") is None
    (tmp_path / "bad").write_bytes(b"no tensors")
    with pytest.raises(InputError, match=r"bad: damaged .*; remove it to begin anew"):
        kept(tmp_path / "bad")


def test_parts_hold_every_row_once() -> None:
    parts = parts_of(7, 3, torch.device("cpu"))
    assert [part.tolist() for part in parts] == [[0, 1, 2], [3, 4, 5], [6]]
