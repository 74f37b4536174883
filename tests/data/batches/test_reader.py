from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from sound2scene import audio, images
from sound2scene.data.augment import MultiCrop, SoundShift
from sound2scene.data.batches.features import FeatureCache
from sound2scene.data.batches.instances import InstanceReader, Neighbourhood
from sound2scene.data.batches.reader import (
    ClipReader,
    CropReader,
    FeatureReader,
    PairReader,
    PictureReader,
    SoundPictureReader,
    feature,
    names,
    open_picture,
    seeded,
    shared_stack,
)
from sound2scene.data.batches.sampler import Draw, augmentation_seed
from sound2scene.data.shards.read import ShardDataset
from sound2scene.types import (
    About,
    CropBatch,
    FeatureBatch,
    InputError,
    PairBatch,
    PictureBatch,
    SoundPictureBatch,
)

CLIPS = 18


@pytest.fixture
def shards(tiny_shards: Path) -> ShardDataset:
    return ShardDataset(tiny_shards, "train")


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    """Feature of clip n: (n, -n)."""
    found = FeatureCache(tmp_path, "encoder", "preset", "data", CLIPS)
    found.write(0, torch.arange(float(CLIPS))[:, None] * torch.tensor([1.0, -1.0]))
    return found


@pytest.fixture
def asked(shards: ShardDataset, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Kinds of the members that are read."""
    found: list[str] = []
    whole = shards.member

    def noted(position: int, kind: str) -> bytes:
        found.append(kind)
        return whole(position, kind)

    monkeypatch.setattr(shards, "member", noted)
    return found


def grey(picture: Image.Image) -> Tensor:
    return images.square_pixels(picture, 4).float().mean(0, keepdim=True)


def noisy(picture: Image.Image) -> Tensor:
    return grey(picture) + torch.rand(1, 4, 4)


def test_a_clip_goes_by_its_key_its_position_and_its_label(shards: ShardDataset) -> None:
    key, index_B, label_B = names(shards, (5, 0, 17))
    assert key == ["train-005", "train-000", "train-017"]
    assert index_B.tolist() == [5, 0, 17]
    assert label_B.tolist() == [2, 0, 2]


def test_a_picture_that_cannot_be_decoded_is_named(
    shards: ShardDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_picture(shards, 3).size == (32, 32)
    monkeypatch.setattr(shards, "member", lambda *_: b"no picture")
    with pytest.raises(InputError, match="train-003"):
        open_picture(shards, 3)


def test_pairs_hold_sound_and_feature_and_read_no_picture(
    shards: ShardDataset, cache: FeatureCache, asked: list[str]
) -> None:
    reader = PairReader(shards, cache)
    batch = reader.collate([reader[Draw(0, position)] for position in (5, 0)])
    assert asked == ["flac", "flac"]
    assert isinstance(batch, PairBatch)
    assert batch.key == ["train-005", "train-000"]
    assert torch.equal(batch.waveform_BT[1], torch.from_numpy(shards.waveform(0)))
    assert batch.z_image_BD.tolist() == [[5, -5], [0, 0]]
    assert len(reader) == CLIPS


def test_sounds_come_with_pixels_and_each_member_is_read_once(shards: ShardDataset, asked: list[str]) -> None:
    reader = SoundPictureReader(shards, grey)
    batch = reader.collate([reader[Draw(0, position)] for position in (5, 0)])
    assert asked == ["flac", "jpg"] * 2
    assert isinstance(batch, SoundPictureBatch)
    assert (batch.key, batch.index_B.tolist()) == (["train-005", "train-000"], [5, 0])
    assert torch.equal(batch.waveform_BT[1], torch.from_numpy(shards.waveform(0)))
    assert torch.equal(batch.image_BCHW[0], grey(open_picture(shards, 5)))
    assert len(reader) == CLIPS


def test_pictures_read_no_sound(shards: ShardDataset, asked: list[str]) -> None:
    reader = PictureReader(shards, grey)
    batch = reader.collate([reader[Draw(0, position)] for position in (5, 0)])
    assert asked == ["jpg", "jpg"]
    assert isinstance(batch, PictureBatch)
    assert batch.index_B.tolist() == [5, 0]
    assert torch.equal(batch.image_BCHW[0], grey(open_picture(shards, 5)))
    assert len(reader) == CLIPS


def test_crops_read_no_sound_and_stand_crop_by_crop(shards: ShardDataset, asked: list[str]) -> None:
    crops = MultiCrop([16, 8], [2, 3], [(0.3, 1.0), (0.1, 0.3)])
    reader = CropReader(shards, crops, seed=2)
    items = [reader[Draw(1, position)] for position in (5, 0)]
    assert asked == ["jpg", "jpg"]
    batch = reader.collate(items)
    assert isinstance(batch, CropBatch)
    assert batch.key == ["train-005", "train-000"]
    for resolution, part in enumerate(batch.crops):
        for place, item in enumerate(items):
            assert torch.equal(part[place::2], item.crops[resolution])
    assert len(reader) == CLIPS


def test_features_alone_read_nothing_of_a_clip(
    shards: ShardDataset, cache: FeatureCache, asked: list[str]
) -> None:
    reader = FeatureReader(shards, cache)
    batch = reader.collate([reader[Draw(3, position)] for position in (5, 0)])
    assert asked == []
    assert isinstance(batch, FeatureBatch)
    assert batch.label_B.tolist() == [2, 0]
    assert torch.equal(batch.z_image_BD, torch.stack([feature(cache, 5), feature(cache, 0)]))
    assert len(reader) == CLIPS


def test_random_changes_follow_from_seed_epoch_and_clip_and_leave_all_other_generators_alone(
    shards: ShardDataset, cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda _: pytest.fail("a GPU was seeded"))
    crops = MultiCrop([16], [2], [(0.3, 1.0)])

    def drawn(seed: int, epoch: int, position: int = 0) -> list[Tensor]:
        draw = Draw(epoch, position)
        return [
            PairReader(shards, cache, SoundShift(), seed)[draw].waveform_T,
            PictureReader(shards, noisy, seed)[draw].image_CHW,
            CropReader(shards, crops, seed)[draw].crops[0],
        ]

    before = torch.get_rng_state()
    first = drawn(1, 2)
    for one, again, later, other in zip(first, drawn(1, 2), drawn(1, 3), drawn(2, 2), strict=True):
        assert torch.equal(one, again)
        assert not torch.equal(one, later)
        assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_inside_the_seeded_part_torch_draws_what_the_clips_seed_gives() -> None:
    before = torch.get_rng_state()
    with seeded(4, Draw(2, 9)):
        found = torch.rand(5)
    expected = torch.rand(5, generator=torch.Generator().manual_seed(augmentation_seed(4, Draw(2, 9))))
    assert torch.equal(found, expected)
    assert torch.equal(torch.get_rng_state(), before)


def stacked_in_shared_memory(items: list[Tensor]) -> bool:
    return shared_stack(items).is_shared()


@pytest.mark.parametrize("workers", [0, 1])
def test_only_a_worker_stacks_straight_into_the_memory_that_it_hands_over(workers: int) -> None:
    rows = [torch.ones(3), torch.zeros(3)]
    loader = DataLoader(rows, batch_size=2, num_workers=workers, collate_fn=stacked_in_shared_memory)
    assert list(loader) == [workers > 0]
    assert shared_stack(rows).tolist() == [[1, 1, 1], [0, 0, 0]]
    assert shared_stack([torch.ones(2, dtype=torch.uint8)]).dtype == torch.uint8


class Watched:
    """A split that notes what it is told to expect and what is read of it."""

    def __init__(self, split: ShardDataset) -> None:
        self.__dict__.update(vars(split))
        self._split = split
        self.expected: list[tuple[int, str]] = []
        self.read: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._split)

    def expect(self, wanted: Iterable[tuple[int, str]]) -> None:
        assert self.read == self.expected
        self.expected += wanted

    def key(self, position: int) -> str:
        return self._split.key(position)

    def where(self, position: int) -> str:
        return self._split.where(position)

    def member(self, position: int, kind: str) -> bytes:
        self.read.append((position, kind))
        return self._split.member(position, kind)

    def waveform(self, position: int) -> np.ndarray:
        return audio.load(self.member(position, "flac"))

    def metadata(self, position: int) -> About:
        self.read.append((position, "json"))
        return self._split.metadata(position)


READERS: dict[str, Callable[[Any, FeatureCache], ClipReader[Any]]] = {
    "pairs": PairReader,
    "pictures": lambda split, _: PictureReader(split, noisy),
    "sounds and pictures": lambda split, _: SoundPictureReader(split, grey),
    "crops": lambda split, _: CropReader(split, MultiCrop([16], [2], [(0.3, 1.0)])),
    "instances": lambda split, cache: InstanceReader(split, Neighbourhood(8, NEAR_NK, cache, cache)),
    "instances and their own": lambda split, cache: InstanceReader(
        split, Neighbourhood(8, NEAR_NK, cache, cache, own=True)
    ),
}
NEAR_NK = np.arange(CLIPS, dtype=np.int32)[:, None] // 2 + np.arange(1, 4, dtype=np.int32)


@pytest.mark.parametrize("name", READERS)
def test_a_split_is_told_exactly_what_a_batch_reads_and_gives_the_same_items(
    name: str, shards: ShardDataset, cache: FeatureCache
) -> None:
    split = Watched(shards)
    reader, plain = READERS[name](split, cache), READERS[name](shards, cache)
    draws = [Draw(epoch, position) for epoch in (0, 3) for position in (4, 0, 11)]
    loader = DataLoader(reader, sampler=draws, batch_size=3, collate_fn=lambda items: items)
    items = [item for batch in loader for item in batch]
    assert split.read == split.expected
    assert len(split.read) >= len(draws)
    for item, draw in zip(items, draws, strict=True):
        torch.testing.assert_close(list(item), list(plain[draw]), rtol=0, atol=0)
