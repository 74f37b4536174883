import pytest
import torch
from torch import Tensor

from sound2scene.methods.parts import ROWS_AT_ONCE, by_parts, check_asked
from sound2scene.types import CLIP_SAMPLES, InputError

CPU = torch.device("cpu")


@pytest.mark.parametrize("rows", [0, 1, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE + 3])
def test_every_part_has_one_size_and_every_row_comes_back_once_in_its_order(rows: int) -> None:
    sizes = []

    def total(first_BD: Tensor, second_B: Tensor) -> Tensor:
        sizes.append((len(first_BD), len(second_B)))
        return first_BD.sum(1) + second_B

    first_ND, second_N = torch.rand(rows, 4), torch.arange(rows)
    found = list(by_parts(total, CPU, first_ND, second_N))
    assert set(sizes) <= {(ROWS_AT_ONCE, ROWS_AT_ONCE)}
    assert torch.equal(torch.cat([torch.zeros(0), *found]), first_ND.sum(1) + second_N)


def test_the_last_part_is_filled_up_with_what_a_network_can_take() -> None:
    seen: list[Tensor] = []
    rows_ND = torch.rand(3, 2) + 1
    list(by_parts(lambda part_BD: seen.append(part_BD) or part_BD, CPU, rows_ND, rows_at_once=5))
    assert torch.equal(seen[0], rows_ND[[0, 1, 2, 2, 2]])


@pytest.mark.parametrize(
    ("shape", "keys", "draws", "seed", "told"),
    [
        ((1, 9), ["a"], 1, 0, r"^pictures takes sounds, floats \(B, 160000\), not torch\.float32 \(1, 9\)"),
        ((CLIP_SAMPLES,), ["a"], 1, 0, r"^pictures takes sounds"),
        ((1, CLIP_SAMPLES), ["a", "b"], 1, 0, r"^1 sounds and 2 keys; give one key for each sound$"),
        ((1, CLIP_SAMPLES), ["a"], 0, 0, r"^pictures\.draws is 0; set it to at least 1$"),
        ((1, CLIP_SAMPLES), ["a"], 1, -1, r"^pictures\.seed is -1; set it to between 0 and"),
    ],
)
def test_what_no_method_draws_is_refused_by_name(
    shape: tuple[int, ...], keys: list[str], draws: int, seed: int, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        check_asked(torch.zeros(shape), keys, draws, seed)
