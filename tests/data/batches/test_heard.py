from pathlib import Path

import pytest
import torch

from sound2scene.blocks import CLIPS
from sound2scene.data.batches import heard, shares
from sound2scene.data.batches.heard import HeardDataset, HeardModule
from sound2scene.data.shards.read import ShardDataset


def test_blocks_hold_neighbouring_clips_with_their_names_and_sounds(
    tiny_shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heard, "CLIPS", 4)
    split = ShardDataset(tiny_shards, "train")
    positions = [*range(3), *range(5, 12)]
    blocks = HeardDataset(split, positions, [0, 2])
    found = [blocks[0], blocks[1]]
    assert [one.number for one in found] == [0, 2]
    assert found[0].position_B.tolist() == [0, 1, 2, 5]
    assert found[1].position_B.tolist() == [10, 11]  # the last block holds what is left
    assert found[0].key == [split.key(position) for position in (0, 1, 2, 5)]
    assert torch.equal(found[0].waveform_BT[3], torch.from_numpy(split.waveform(5)))


def test_no_sound_is_decoded_where_nobody_listens(tiny_shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split = ShardDataset(tiny_shards, "train")
    monkeypatch.setattr(ShardDataset, "waveform", lambda *_: pytest.fail("decoded"))
    block = HeardDataset(split, range(3), [0], is_heard=False)[0]
    assert block.waveform_BT.shape == (3, 160_000)
    assert not block.waveform_BT.any()


def test_processes_share_the_blocks_without_a_rest(
    tiny_shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = ShardDataset(tiny_shards, "train")
    numbers = []
    for rank in range(2):
        monkeypatch.setattr(shares, "world", lambda rank=rank: (rank, 2))
        module = HeardModule(split, range(5 * CLIPS), [0, 1, 3], workers=0, is_heard=False)
        monkeypatch.setattr(split, "key", str)
        numbers.append([block.number for block in module.predict_dataloader()])
    assert numbers == [[0, 3], [1]]
