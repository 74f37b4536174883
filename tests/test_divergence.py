import pytest
import torch

from sound2scene.divergence import finite
from sound2scene.types import DivergedError

KEYS = ["a", "b", "c"]


def test_what_is_finite_comes_back_itself() -> None:
    value_BD = torch.randn(3, 2)
    assert finite(value_BD, "z", KEYS, 0) is value_BD


@pytest.mark.parametrize("spoilt", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 2, 4)])
def test_rows_name_their_clips_alone(spoilt: float, shape: tuple[int, ...]) -> None:
    value = torch.zeros(shape)
    value[1] = spoilt
    with pytest.raises(DivergedError, match=r"^step 7: z is NaN or infinite for clips b; lower the rate"):
        finite(value, "z", KEYS, 7)


def test_one_number_names_the_batch_and_what_it_is() -> None:
    with pytest.raises(DivergedError, match=r"^step 0: loss is inf for clips a, b, c; lower"):
        finite(torch.tensor(float("inf")), "loss", KEYS, 0)


def test_of_many_clips_some_are_named_and_the_others_counted() -> None:
    keys = [str(number) for number in range(20)]
    with pytest.raises(DivergedError, match=r"for clips 0, 1, 2, 3, 4, 5, 6, 7 and 12 more;"):
        finite(torch.full((20, 2), float("nan")), "z", keys, 0)
