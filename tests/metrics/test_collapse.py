import torch
from torch import Tensor

from sound2scene.metrics.collapse import CollapseWatch

HEALTHY = torch.tensor([0.5, -0.5, 1.5, -1.5])


def pictures(spread: float, seed: int = 0) -> Tensor:
    return spread * torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(seed))


def told(watch: CollapseWatch, steps: int, real: Tensor, fake: Tensor, spread: float) -> list[str]:
    return [
        sign for _ in range(steps) for sign in watch.update(real, fake, pictures(1.0), pictures(spread, 1))
    ]


def test_a_healthy_run_is_silent() -> None:
    assert told(CollapseWatch(memory=10), 50, HEALTHY, HEALTHY, 0.9) == []


def test_a_saturated_discriminator_is_told_once() -> None:
    (sign,) = told(CollapseWatch(memory=10), 50, torch.full((4,), 3.0), torch.full((4,), -3.0), 0.9)
    assert sign.startswith("the discriminator is saturated: 100%")


def test_vanishing_diversity_is_told_once_and_again_after_recovery() -> None:
    watch = CollapseWatch(memory=10)
    (sign,) = told(watch, 50, HEALTHY, HEALTHY, 0.01)
    assert sign.startswith("the fakes lose their diversity: their spread is")
    assert told(watch, 100, HEALTHY, HEALTHY, 1.0) == []
    assert len(told(watch, 100, HEALTHY, HEALTHY, 0.01)) == 1
