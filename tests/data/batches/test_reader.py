from pathlib import Path

import pytest
import torch
from torch import Tensor

from sound2scene.data.augment import SoundShift
from sound2scene.data.batches.reader import ClipReader
from sound2scene.data.batches.sampler import Draw
from sound2scene.data.shards.read import ShardDataset


def test_augmentation_is_a_function_of_seed_epoch_and_clip_and_leaves_all_other_generators_alone(
    tiny_shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda _: pytest.fail("a GPU was seeded"))
    shards = ShardDataset(tiny_shards, "train")

    def draw(seed: int, epoch: int, position: int = 0) -> Tensor:
        clip = ClipReader(shards, ["waveform"], sound=SoundShift(), seed=seed)[Draw(epoch, position)]
        found: Tensor = clip["waveform"]
        return found

    before = torch.get_rng_state()
    assert torch.equal(draw(1, 2), draw(1, 2))
    assert not torch.equal(draw(1, 2), draw(1, 3))
    assert not torch.equal(draw(1, 2), draw(2, 2))
    assert torch.equal(torch.get_rng_state(), before)


def test_members_that_were_not_asked_for_are_not_read(
    tiny_shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = ShardDataset(tiny_shards, "train")
    asked: list[str] = []
    whole = shards.member
    monkeypatch.setattr(shards, "member", lambda position, kind: asked.append(kind) or whole(position, kind))
    assert set(ClipReader(shards, ["waveform"])[Draw(0, 3)]) == {"position", "waveform"}
    assert asked == ["flac"]
