from pathlib import Path

import pytest
import torch
from torch import Tensor

from sound2scene.blocks import CLIPS, MeasuredBlock
from sound2scene.evaluation.store import Store
from sound2scene.types import InputError

CLIPS_IN_ALL = CLIPS + 5


def block(number: int, method: str = "ours", **more: Tensor) -> MeasuredBlock:
    clips = min(CLIPS, CLIPS_IN_ALL - number * CLIPS)
    first = number * CLIPS
    tensors = {
        "there": torch.ones(clips, dtype=torch.bool),
        "judge/feature": torch.arange(first, first + clips).float()[:, None, None],
        "shown": torch.tensor([first]),
        "pixels": torch.full((1, 3, 2, 2), number, dtype=torch.uint8),
    }
    return MeasuredBlock(number, method, tensors | more)


def store(root: Path, **identities: object) -> Store:
    return Store(root, CLIPS_IN_ALL, {"ours": identities})


def test_rows_come_in_the_order_of_clips_whichever_block_was_written_first(tmp_path: Path) -> None:
    kept = store(tmp_path)
    assert kept.missing("ours") == [0, 1]
    for number in (1, 0):
        kept.write(block(number))
    assert kept.missing("ours") == []
    found = kept.rows("ours", "judge/feature")
    assert found is not None
    assert found[:, 0, 0].tolist() == list(range(CLIPS_IN_ALL))
    assert kept.rows("ours", "judge/scores") is None
    assert {position: int(one[0, 0, 0]) for position, one in kept.pictures("ours").items()} == {
        0: 0,
        CLIPS: 1,
    }


def test_another_run_finds_what_was_written_only_under_the_same_identity(tmp_path: Path) -> None:
    store(tmp_path, seed=0).write(block(0))
    assert store(tmp_path, seed=0).missing("ours") == [1]
    assert store(tmp_path, seed=1).missing("ours") == [0, 1]


@pytest.mark.parametrize("damage", ["empty", "torn", "other"])
def test_a_damaged_block_is_missing(tmp_path: Path, damage: str) -> None:
    first = store(tmp_path)
    first.write(block(0))
    (path,) = tmp_path.rglob("*.safetensors")
    if damage == "other":
        first.write(block(0, there=torch.ones(3, dtype=torch.bool)))
    else:
        path.write_bytes(b"" if damage == "empty" else path.read_bytes()[:-1])
    assert store(tmp_path).missing("ours") == [0, 1]


def test_a_block_that_is_damaged_later_is_named(tmp_path: Path) -> None:
    kept = store(tmp_path)
    for number in (0, 1):
        kept.write(block(number))
    path = sorted(tmp_path.rglob("*.safetensors"))[1]
    path.write_bytes(b"")
    with pytest.raises(InputError, match=f"{path}: cannot be read .*; run again, it is drawn anew"):
        kept.rows("ours", "there")


def test_nothing_but_blocks_stays_behind(tmp_path: Path) -> None:
    store(tmp_path).write(block(0))
    (folder,) = tmp_path.iterdir()
    assert [path.name for path in folder.iterdir()] == ["000000.safetensors"]


def test_a_block_without_any_picture_has_rows_of_zeros(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.write(block(0))
    kept.write(MeasuredBlock(1, "ours", {"there": torch.zeros(5, dtype=torch.bool)}))
    found = kept.rows("ours", "judge/feature")
    assert found is not None
    assert found.shape == (CLIPS_IN_ALL, 1, 1)
    assert not found[CLIPS:].any()
    assert list(kept.pictures("ours")) == [0]
