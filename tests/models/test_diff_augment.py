import pytest
import torch
from torch import Tensor

from sound2scene.models.diff_augment import POLICIES, check_policies, diff_augment
from sound2scene.types import InputError


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def picture(count: int = 4, side: int = 16) -> Tensor:
    return torch.rand(count, 3, side, side, generator=dice(9)) * 2 - 1


@pytest.mark.parametrize("name", POLICIES)
def test_the_change_follows_from_the_generator_alone_and_differs_between_pictures(name: str) -> None:
    image = picture()[:1].expand(8, -1, -1, -1)
    first, again, other = (diff_augment(image, [name], dice(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len({tuple(one.flatten().tolist()) for one in first}) > 1


@pytest.mark.parametrize("name", POLICIES)
def test_gradients_reach_the_picture(name: str) -> None:
    image = picture().requires_grad_()
    diff_augment(image, [name], dice()).sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


def test_a_translation_is_a_shift_by_at_most_an_eighth_with_zeros_outside() -> None:
    image = picture(count=32)
    moved = diff_augment(image, ["translation"], dice())
    for before, after in zip(image, moved, strict=True):
        padded = torch.nn.functional.pad(before, (2,) * 4)
        shifts = [padded[:, y : y + 16, x : x + 16] for y in range(5) for x in range(5)]
        assert sum(torch.equal(after, shift) for shift in shifts) == 1


def test_a_cutout_is_a_square_of_half_the_side() -> None:
    gone = diff_augment(torch.ones(64, 3, 16, 16), ["cutout"], dice()) == 0
    assert gone.any(1).sum((1, 2)).max() == 64  # 8 x 8 where it lies inside
    assert torch.equal(gone.any(1), gone.all(1))


def test_colour_changes_keep_the_layout() -> None:
    image = picture()
    changed = diff_augment(image, ["colour"], dice())
    assert changed.shape == image.shape
    for before, after in zip(image, changed, strict=True):
        grey_before, grey_after = before.mean(0), after.mean(0)
        correlation = torch.corrcoef(torch.stack([grey_before.flatten(), grey_after.flatten()]))[0, 1]
        assert correlation > 0.999


def test_nothing_happens_without_a_policy_and_an_unknown_one_is_refused() -> None:
    image = picture()
    assert diff_augment(image, [], dice()) is image
    with pytest.raises(InputError, match="'rotation' is unknown; choose among colour"):
        check_policies(["colour", "rotation"])
