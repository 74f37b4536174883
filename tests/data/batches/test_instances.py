from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sound2scene import images
from sound2scene.data.batches.features import FeatureCache
from sound2scene.data.batches.frozen_encoder import mirrored
from sound2scene.data.batches.instances import InstanceReader, Neighbourhood
from sound2scene.data.batches.sampler import Draw
from sound2scene.data.shards.read import ShardDataset
from sound2scene.types import InstanceBatch

SIDE, CLIPS = 16, 18


@pytest.fixture
def shards(tiny_shards: Path) -> ShardDataset:
    return ShardDataset(tiny_shards, "train")


def cache(folder: Path, name: str, sign: float) -> FeatureCache:
    """Feature of clip n: (n, sign)."""
    found = FeatureCache(folder, name, "preset", "data", CLIPS)
    found.write(0, torch.stack([torch.tensor([float(n), sign]) for n in range(CLIPS)]))
    return found


@pytest.fixture
def around(tmp_path: Path) -> Neighbourhood:
    """The neighbours of clip n are the two after it."""
    neighbours_NK = np.array([[(n + 1) % CLIPS, (n + 2) % CLIPS] for n in range(CLIPS)], np.int32)
    return Neighbourhood(SIDE, neighbours_NK, cache(tmp_path, "plain", 1.0), cache(tmp_path, "flipped", -1.0))


def seen(shards: ShardDataset, position: int) -> list[bytes]:
    """A clip's picture as it is, and mirrored."""
    picture = images.decode_jpeg(shards.member(position, "jpg"), "")
    return [images.square_pixels(one, SIDE).numpy().tobytes() for one in (picture, mirrored(picture))]


def test_the_real_picture_is_a_neighbour_never_the_instance_itself(
    shards: ShardDataset, around: Neighbourhood
) -> None:
    reader = InstanceReader(shards, around)
    shown = Counter(reader[Draw(epoch, 4)].pixels_CHW.numpy().tobytes() for epoch in range(60))
    expected = seen(shards, 5) + seen(shards, 6)
    assert set(shown) == set(expected)  # both neighbours, both ways round
    assert not set(shown) & set(seen(shards, 4))
    assert all(count >= 3 for count in shown.values())


def test_the_condition_is_the_instances_own_feature_mirrored_independently(
    shards: ShardDataset, around: Neighbourhood
) -> None:
    reader = InstanceReader(shards, around)
    draws = [reader[Draw(epoch, 4)] for epoch in range(80)]
    assert {tuple(draw.z_image_D.tolist()) for draw in draws} == {(4.0, 1.0), (4.0, -1.0)}
    straight = {one for n in (5, 6) for one in seen(shards, n)[:1]}
    both = Counter(
        (draw.pixels_CHW.numpy().tobytes() in straight, float(draw.z_image_D[1])) for draw in draws
    )
    assert len(both) == 4
    without = InstanceReader(shards, replace(around, flipped=None))
    assert {tuple(without[Draw(epoch, 4)].z_image_D.tolist()) for epoch in range(20)} == {(4.0, 1.0)}


def test_without_mirroring_what_is_left_stays_left(shards: ShardDataset, around: Neighbourhood) -> None:
    reader = InstanceReader(shards, replace(around, flipped=None))
    shown = {reader[Draw(epoch, 4)].pixels_CHW.numpy().tobytes() for epoch in range(40)}
    assert shown == {seen(shards, 5)[0], seen(shards, 6)[0]}


def test_an_own_picture_is_the_instances_and_is_mirrored_as_its_feature_is(
    shards: ShardDataset, around: Neighbourhood
) -> None:
    reader, plain = InstanceReader(shards, replace(around, own=True)), InstanceReader(shards, around)
    straight, turned = seen(shards, 4)
    ways = Counter()
    for epoch in range(20):
        one, without = reader[Draw(epoch, 4)], plain[Draw(epoch, 4)]
        assert one.own_CHW.numpy().tobytes() == (straight if one.z_image_D[1] > 0 else turned)
        assert torch.equal(one.pixels_CHW, without.pixels_CHW)  # nothing else is drawn another way
        assert without.own_CHW is None
        ways[float(one.z_image_D[1])] += 1
    assert len(ways) == 2
    batch = reader.collate([reader[Draw(0, 4)], reader[Draw(0, 5)]])
    assert batch.own_BCHW.shape == batch.image_BCHW.shape
    assert -1 <= batch.own_BCHW.min() < 0 < batch.own_BCHW.max() <= 1
    assert plain.collate([plain[Draw(0, 4)]]).own_BCHW is None


def test_conditions_of_fakes_come_from_the_whole_split_and_differ_between_the_turns(
    shards: ShardDataset, around: Neighbourhood
) -> None:
    reader = InstanceReader(shards, around)
    drawn = torch.stack([reader[Draw(epoch, 4)].z_drawn_JD[:, 0] for epoch in range(200)])
    assert set(drawn[:, 0].tolist()) == set(drawn[:, 1].tolist()) == set(range(CLIPS))
    assert (drawn[:, 0] == drawn[:, 1]).float().mean() < 0.2


def test_draws_follow_from_seed_epoch_and_clip(shards: ShardDataset, around: Neighbourhood) -> None:
    first, again = (InstanceReader(shards, around, seed=3)[Draw(2, 7)] for _ in range(2))
    other = [InstanceReader(shards, around, seed=3)[Draw(epoch, 7)] for epoch in range(3, 8)]
    for one, same in zip(first[:4], again[:4], strict=True):
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(same))
    assert any(not torch.equal(first.z_drawn_JD, one.z_drawn_JD) for one in other)


def test_a_batch_holds_pictures_in_model_range_and_the_draws_first(
    shards: ShardDataset, around: Neighbourhood
) -> None:
    reader = InstanceReader(shards, around)
    items = [reader[Draw(0, position)] for position in (3, 9, 11)]
    batch = reader.collate(items)
    assert isinstance(batch, InstanceBatch)
    assert batch.key == ["train-003", "train-009", "train-011"]
    assert batch.image_BCHW.shape == (3, 3, SIDE, SIDE)
    assert batch.image_BCHW.dtype == torch.float32
    assert -1 <= batch.image_BCHW.min() < -0.2
    assert 0.2 < batch.image_BCHW.max() <= 1
    assert batch.z_image_BD[:, 0].tolist() == [3, 9, 11]
    assert batch.z_drawn_JBD.shape == (2, 3, 2)
    assert torch.equal(batch.z_drawn_JBD[1, 2], items[2].z_drawn_JD[1])
