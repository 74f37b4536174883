from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sound2scene.latent import seed_of_clip, uniform_rows
from sound2scene.stages.s2i_chance import chance_of_clips, chance_of_turn
from two_ranks import on_two_ranks


def test_chance_follows_from_the_runs_seed_and_the_turn_alone() -> None:
    torch.manual_seed(3)
    one = chance_of_turn(4, 5, 7, 1)
    torch.rand(9)
    assert torch.equal(chance_of_turn(4, 5, 7, 1), one)
    assert not torch.equal(chance_of_turn(4, 5, 7, 2), one)
    torch.manual_seed(4)
    assert not torch.equal(chance_of_turn(4, 5, 7, 1), one)


def on_a_rank(rank: int, rows: int) -> Tensor:
    torch.manual_seed(3)
    return chance_of_turn(rows, 5, 7)


@pytest.mark.slow
def test_two_processes_meet_the_chance_of_one(tmp_path: Path) -> None:
    both = on_two_ranks(partial(on_a_rank, rows=2), tmp_path)
    assert torch.equal(torch.cat(both), on_a_rank(0, rows=4))


def test_held_out_clips_have_the_first_draw_of_their_own_keys() -> None:
    found = chance_of_clips(["b", "a"], 5)
    expected = uniform_rows([seed_of_clip(0, "b"), seed_of_clip(0, "a")], [0, 0], 5)
    assert torch.equal(found, expected)
    assert torch.equal(chance_of_clips(["a"], 5)[0], found[1])
