from collections.abc import Sequence
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sound2scene import images
from sound2scene.data.augment import MultiCrop, PixelCrop, SoundShift
from sound2scene.data.batches.frozen_encoder import FrozenFeatures
from sound2scene.data.batches.resumable import Collating
from sound2scene.data.batches.sampler import Draw
from sound2scene.data.pictures import PictureFolder
from sound2scene.data.reading import (
    ReadCrops,
    Reading,
    ReadInstances,
    ReadPairs,
    ReadPictures,
    ReadSoundPictures,
)
from sound2scene.data.shards.read import ShardDataset
from sound2scene.types import (
    CropBatch,
    FeatureBatch,
    InputError,
    InstanceBatch,
    PairBatch,
    PictureBatch,
    SoundPictureBatch,
)
from tiny import Z_DIM, tiny_features

SIDE = 16
SMALL = MultiCrop([16, 8], [2, 3], [(0.3, 1.0), (0.1, 0.3)])


@pytest.fixture
def shards(tiny_shards: Path) -> ShardDataset:
    return ShardDataset(tiny_shards, "train")


@pytest.fixture(scope="module")
def features(tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> FrozenFeatures:
    settings = tiny_features(tiny_image_encoder, tmp_path_factory.mktemp("features"))
    return FrozenFeatures(settings, 0, torch.device("cpu"))


def batch_of(reader: Collating[Any], positions: Sequence[int], epoch: int = 0) -> Any:
    return reader.collate([reader[Draw(epoch, position)] for position in positions])


def pictures(shards: ShardDataset, positions: Sequence[int], chain: str) -> Tensor:
    found = [images.decode_jpeg(shards.member(position, "jpg"), "") for position in positions]
    return torch.stack([images.preset(chain)(picture) for picture in found])


def sounds(shards: ShardDataset, positions: Sequence[int]) -> Tensor:
    return torch.stack([torch.from_numpy(shards.waveform(position)) for position in positions])


def named(
    batch: PairBatch | PictureBatch | SoundPictureBatch | FeatureBatch,
    shards: ShardDataset,
    positions: list[int],
) -> None:
    assert batch.key == [shards.key(position) for position in positions]
    assert batch.index_B.tolist() == positions
    assert batch.label_B.tolist() == shards.label_N[positions].tolist()
    assert batch.index_B.dtype == batch.label_B.dtype == torch.int64


def test_pairs_are_sounds_with_the_features_of_their_pictures(
    shards: ShardDataset, features: FrozenFeatures
) -> None:
    batch = batch_of(ReadPairs().evaluation(shards, features), [4, 0, 9])
    assert isinstance(batch, PairBatch)
    named(batch, shards, [4, 0, 9])
    assert torch.equal(batch.waveform_BT, sounds(shards, [4, 0, 9]))
    rows = [torch.tensor(features.of(shards).row(position)) for position in (4, 0, 9)]
    assert torch.equal(batch.z_image_BD, torch.stack(rows))
    assert batch.z_image_BD.shape == (3, Z_DIM)


def test_pairs_change_their_sounds_in_training_alone(shards: ShardDataset, features: FrozenFeatures) -> None:
    read = ReadPairs(SoundShift())
    plain_BT = sounds(shards, [4, 0])
    changed = batch_of(read.training(shards, features, 1), [4, 0])
    assert not any(torch.equal(one, other) for one, other in zip(changed.waveform_BT, plain_BT, strict=True))
    assert torch.equal(batch_of(read.evaluation(shards, features), [4, 0], 3).waveform_BT, plain_BT)
    unchanged = batch_of(ReadPairs().training(shards, features, 1), [4, 0])
    assert torch.equal(unchanged.waveform_BT, plain_BT)


def test_pictures_pass_the_chain_of_the_preset_and_in_training_the_random_one(shards: ShardDataset) -> None:
    read = ReadPictures("pixels32", PixelCrop(32))
    plain = batch_of(read.evaluation(shards, None), [4, 0])
    assert isinstance(plain, PictureBatch)
    named(plain, shards, [4, 0])
    assert plain.image_BCHW.dtype == torch.uint8
    assert torch.equal(plain.image_BCHW, pictures(shards, [4, 0], "pixels32"))
    changed = batch_of(read.training(shards, None, 1), [4, 0])
    assert changed.image_BCHW.shape == plain.image_BCHW.shape
    assert not torch.equal(changed.image_BCHW, plain.image_BCHW)
    without = batch_of(ReadPictures("pixels32").training(shards, None, 1), [4, 0])
    assert torch.equal(without.image_BCHW, plain.image_BCHW)


def test_sounds_come_with_their_pictures_and_change_in_training_alone(shards: ShardDataset) -> None:
    read = ReadSoundPictures("pixels24", SoundShift())
    plain = batch_of(read.evaluation(shards, None), [4, 0])
    assert isinstance(plain, SoundPictureBatch)
    named(plain, shards, [4, 0])
    assert torch.equal(plain.waveform_BT, sounds(shards, [4, 0]))
    found = [images.decode_jpeg(shards.member(position, "jpg"), "") for position in (4, 0)]
    assert torch.equal(plain.image_BCHW, torch.stack([images.square_pixels(one, 24) for one in found]))
    changed = batch_of(read.training(shards, None, 1), [4, 0])
    assert torch.equal(changed.image_BCHW, plain.image_BCHW)
    assert not torch.equal(changed.waveform_BT, plain.waveform_BT)
    assert torch.equal(batch_of(read.training(shards, None, 1), [4, 0]).waveform_BT, changed.waveform_BT)
    unchanged = batch_of(ReadSoundPictures("pixels24").training(shards, None, 1), [4, 0])
    assert torch.equal(unchanged.waveform_BT, plain.waveform_BT)
    with pytest.raises(InputError, match="image preset 'pixels0' is unknown"):
        ReadSoundPictures("pixels0")


def test_crops_stand_crop_by_crop_for_each_resolution(shards: ShardDataset) -> None:
    reader = ReadCrops("small64", SMALL).training(shards, None, 5)
    batch = batch_of(reader, [4, 0, 7])
    assert isinstance(batch, CropBatch)
    assert batch.key == [shards.key(position) for position in (4, 0, 7)]
    assert [tuple(part.shape) for part in batch.crops] == [(2 * 3, 3, 16, 16), (3 * 3, 3, 8, 8)]
    for place, position in enumerate((4, 0, 7)):
        alone = batch_of(reader, [position])
        for part, own in zip(batch.crops, alone.crops, strict=True):
            assert torch.equal(part[place::3], own)


def test_crops_are_the_published_ones_by_default_and_whole_pictures_in_evaluation(
    shards: ShardDataset,
) -> None:
    read = ReadCrops("small64")
    crops = batch_of(read.training(shards, None, 0), [1]).crops
    assert [tuple(part.shape) for part in crops] == [(2, 3, 224, 224), (6, 3, 96, 96)]
    whole = batch_of(read.evaluation(shards, None), [4, 0])
    assert isinstance(whole, PictureBatch)
    assert torch.equal(whole.image_BCHW, pictures(shards, [4, 0], "small64"))


def test_crops_are_not_mixed_with_pictures_of_another_normalisation() -> None:
    with pytest.raises(InputError, match="'centre_crop_signed': crops are normalised as ImageNet's; take"):
        ReadCrops("centre_crop_signed")


def test_instances_come_with_a_near_picture_and_features_of_both_ways_round(
    shards: ShardDataset, features: FrozenFeatures
) -> None:
    batch = batch_of(ReadInstances(SIDE, 2).training(shards, features, 0), list(range(12)))
    assert isinstance(batch, InstanceBatch)
    assert batch.image_BCHW.shape == (12, 3, SIDE, SIDE)
    plain, flipped = (
        torch.stack([torch.tensor(features.of(shards, flip).row(position)) for position in range(12)])
        for flip in (False, True)
    )
    straight_B = (batch.z_image_BD == plain).all(1)
    mirrored_B = (batch.z_image_BD == flipped).all(1)
    assert (straight_B | mirrored_B).all()
    assert straight_B.any()
    assert mirrored_B.any()


def test_instances_are_features_alone_in_evaluation(shards: ShardDataset, features: FrozenFeatures) -> None:
    batch = batch_of(ReadInstances(SIDE, 2).evaluation(shards, features), [4, 0])
    assert isinstance(batch, FeatureBatch)
    named(batch, shards, [4, 0])
    assert torch.equal(batch.z_image_BD[1], torch.tensor(features.of(shards).row(0)))


READINGS: list[Reading] = [
    ReadPairs(SoundShift()),
    ReadPictures("pixels32", PixelCrop(32)),
    ReadCrops("small64", SMALL),
    ReadInstances(SIDE, 2),
]


@pytest.mark.parametrize("read", READINGS, ids=lambda read: type(read).__name__)
def test_what_is_random_follows_from_seed_epoch_and_clip(
    read: Reading, shards: ShardDataset, features: FrozenFeatures
) -> None:
    def drawn(seed: int, epoch: int) -> list[Tensor]:
        batch = batch_of(read.training(shards, features, seed), [4, 0], epoch)
        fields = [*batch.crops] if isinstance(batch, CropBatch) else [*batch]
        return [field for field in fields if isinstance(field, Tensor)]

    def same(one: list[Tensor], other: list[Tensor]) -> bool:
        return all(torch.equal(here, there) for here, there in zip(one, other, strict=True))

    torch.manual_seed(1)
    first = drawn(1, 2)
    torch.manual_seed(2)
    assert same(first, drawn(1, 2))
    assert not same(first, drawn(1, 3))
    assert not same(first, drawn(2, 2))


@pytest.mark.parametrize("read", READINGS, ids=lambda read: type(read).__name__)
def test_readers_can_be_handed_to_a_worker_that_is_not_forked(
    read: Reading, shards: ShardDataset, features: FrozenFeatures
) -> None:
    for reader in (read.training(shards, features, 1), read.evaluation(shards, features)):
        there = ForkingPickler.loads(ForkingPickler.dumps(reader))
        assert batch_of(there, [4, 0]).key == batch_of(reader, [4, 0]).key


@pytest.mark.parametrize("read", [ReadPairs(), ReadInstances(SIDE, 2)])
@pytest.mark.parametrize("evaluates", [True, False])
def test_a_reading_that_hands_over_features_names_the_key_where_there_are_none(
    read: Reading, evaluates: bool, shards: ShardDataset
) -> None:
    line = (
        rf"^{type(read).__name__} hands over features; name their image encoder in "
        r"data\.init_args\.features\.image_encoder$"
    )
    with pytest.raises(InputError, match=line):
        _ = read.evaluation(shards, None) if evaluates else read.training(shards, None, 0)


@pytest.mark.parametrize("evaluates", [True, False])
def test_pairs_of_a_folder_of_pictures_are_refused_in_one_line_before_its_features_are_computed(
    evaluates: bool, tmp_path: Path, features: FrozenFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "train" / "cat").mkdir(parents=True)
    (tmp_path / "train" / "cat" / "1.png").write_bytes(b"never opened")
    split, read = PictureFolder(tmp_path, "train"), ReadPairs(nn.Identity())
    monkeypatch.setattr(features, "of", lambda *_: pytest.fail("features were asked for"))
    line = r"^\S+/train/cat/1\.png: a folder of pictures has no sounds; prepare shards of pairs$"
    with pytest.raises(InputError, match=line):
        _ = read.evaluation(split, features) if evaluates else read.training(split, features, 0)


@pytest.mark.parametrize("numbers", [(0, 5), (64, 0)])
def test_instances_of_no_size_or_without_neighbours_are_refused(numbers: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"read\.side is \d+ and read\.neighbours \d+; set both"):
        ReadInstances(*numbers)


def test_a_preset_that_is_not_there_is_refused_when_the_recipe_is_read() -> None:
    for reading in (ReadPictures, ReadCrops):
        with pytest.raises(InputError, match="image preset"):
            reading("none")
