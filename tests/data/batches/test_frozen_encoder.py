import threading
from collections.abc import Iterator
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

import drawn_clips
from drawing import tiny_generator
from sound2scene import artifacts, images
from sound2scene.data.batches import features
from sound2scene.data.batches import frozen_encoder as module
from sound2scene.data.batches.features import FeatureCache
from sound2scene.data.batches.frozen_encoder import Encoding, Features, FrozenFeatures, cached, mirrored
from sound2scene.data.batches.reader import open_picture
from sound2scene.data.shards.read import ShardDataset
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.protocols import Pictures
from sound2scene.types import EncoderFacts, InputError
from tiny import NET, Z_DIM, tiny_encoder, tiny_features

CPU = torch.device("cpu")


def encode(image_BCHW: Tensor) -> Tensor:
    return image_BCHW.float().mean((2, 3))


class Counted:
    """An encoder that counts the pictures it was given."""

    def __init__(self) -> None:
        self.pictures = 0
        self.dtypes: set[torch.dtype] = set()

    def __call__(self, image_BCHW: Tensor) -> Tensor:
        self.pictures += len(image_BCHW)
        self.dtypes.add(image_BCHW.dtype)
        return encode(image_BCHW)


@pytest.fixture
def val(dataset: Path) -> ShardDataset:
    return ShardDataset(dataset, "val")


@pytest.fixture
def _blocks_of_four(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(features, "BLOCK", 4)
    yield
    features._block.cache_clear()


def rows(cache: FeatureCache) -> Tensor:
    return torch.stack([torch.tensor(cache.row(position)) for position in range(cache.clips)])


def direct(split: Pictures, chain: str = "small64", flip: bool = False) -> Tensor:
    pictures = [open_picture(split, position) for position in range(len(split))]
    shown = [mirrored(picture) if flip else picture for picture in pictures]
    return torch.stack([images.preset(chain)(picture) for picture in shown])


def test_facts_are_what_the_card_says_and_the_width_of_the_network(
    tiny_image_encoder: Path, tmp_path: Path
) -> None:
    found = FrozenFeatures(tiny_features(tiny_image_encoder, tmp_path), 0, CPU).facts
    fingerprint = artifacts.read_card(tiny_image_encoder).fingerprint
    assert found == EncoderFacts(str(tiny_image_encoder), fingerprint, "small64", Z_DIM)


def test_features_are_cached_in_one_place_by_default() -> None:
    assert Features("encoder").cache == "data/features"


@pytest.mark.parametrize("flip", [False, True])
def test_features_are_the_artifacts_without_gradient(
    flip: bool, val: ShardDataset, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    frozen = FrozenFeatures(tiny_features(tiny_image_encoder, tmp_path / "cache"), 0, CPU)
    found_ND = rows(frozen.of(val, flip))
    with torch.no_grad():
        expected_ND = artifacts.load(tiny_image_encoder)(direct(val, flip=flip))
    assert torch.allclose(found_ND, expected_ND, atol=1e-5)
    assert not torch.allclose(found_ND, rows(frozen.of(val, not flip)), atol=1e-2)
    assert frozen.of(val, flip).folder.parent == tmp_path / "cache"
    assert not any(parameter.requires_grad for parameter in frozen._encoder.parameters())


def test_a_split_is_looked_up_once_and_kept_under_the_encoder_for_the_next_run(
    val: ShardDataset, tiny_image_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tiny_features(tiny_image_encoder, tmp_path / "cache")
    frozen = FrozenFeatures(settings, 0, CPU)
    first = frozen.of(val)
    assert frozen.of(val) is first
    assert frozen.of(val, flip=True) is not first
    other = tiny_features(tiny_encoder(tmp_path / "other", seed=1), tmp_path / "cache")
    assert FrozenFeatures(other, 0, CPU).of(val).folder != first.folder
    monkeypatch.setattr(ImageEncoder, "forward", lambda *_: pytest.fail("computed again"))
    again = FrozenFeatures(settings, 0, CPU).of(val)
    assert torch.equal(rows(again), rows(first))


def test_pictures_meet_the_network_on_its_device_and_features_come_back(
    val: ShardDataset, tiny_image_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All is computed there and nothing is kept: the way back has to be a made one.
    away = torch.device("meta")
    frozen = FrozenFeatures(tiny_features(tiny_image_encoder, tmp_path), 0, away)
    assert frozen.facts.width == Z_DIM
    back: list[Tensor] = []

    def cpu(tensor: Tensor) -> Tensor:
        if tensor.device == away:
            back.append(tensor)
        return torch.zeros(tensor.shape)

    monkeypatch.setattr(Tensor, "cpu", cpu)
    assert torch.equal(rows(frozen.of(val)), torch.zeros(len(val), Z_DIM))
    assert [(found.device, found.shape) for found in back] == [(away, (len(val), Z_DIM))]


def test_an_artifact_of_another_kind_is_refused(tiny_image_encoder: Path, tmp_path: Path) -> None:
    generator = tiny_generator(tmp_path / "generator", tiny_image_encoder)
    with pytest.raises(InputError, match="kind 'generator', not 'image-encoder'"):
        _ = FrozenFeatures(tiny_features(generator, tmp_path), 0, CPU).facts


def test_an_artifact_that_is_not_there_is_refused_in_one_line(val: ShardDataset, tmp_path: Path) -> None:
    frozen = FrozenFeatures(tiny_features(tmp_path / "nowhere", tmp_path), 0, CPU)
    with pytest.raises(InputError, match=r"nowhere: no artifact .* there; check the path"):
        frozen.of(val)


def test_a_card_without_an_image_preset_is_refused(tmp_path: Path) -> None:
    folder = artifacts.save(ImageEncoder("resnet18", NET), tmp_path / "e", card={"kind": "image-encoder"})
    with pytest.raises(InputError, match=r"its card names no image preset; export or import"):
        _ = FrozenFeatures(tiny_features(folder, tmp_path), 0, CPU).facts


def test_a_mirror_exchanges_left_and_right() -> None:
    picture = Image.new("RGB", (3, 2))
    picture.putpixel((0, 1), (255, 0, 0))
    assert mirrored(picture).getpixel((2, 1)) == (255, 0, 0)


@pytest.mark.usefixtures("_blocks_of_four")
@pytest.mark.parametrize("workers", [0, 2])
def test_workers_change_nothing(workers: int, val: ShardDataset, tmp_path: Path) -> None:
    cache = cached(val, Encoding(encode, "e", "small64"), str(tmp_path), workers)
    assert cache.missing() == []
    assert torch.equal(rows(cache), encode(direct(val)))


def test_a_mirrored_chain_can_be_handed_to_a_worker_that_is_not_forked(val: ShardDataset) -> None:
    sent = ForkingPickler.dumps(module._Mirrored(images.preset("small64")))
    picture, chain = open_picture(val, 0), ForkingPickler.loads(sent)
    assert torch.equal(chain(picture), images.preset("small64")(mirrored(picture)))


def test_pictures_as_pixels_are_cached_apart_from_other_chains(val: ShardDataset, tmp_path: Path) -> None:
    counted = Counted()
    first = cached(val, Encoding(counted, "net", "pixels32"), str(tmp_path), 0)
    again = cached(val, Encoding(counted, "net", "pixels32"), str(tmp_path), 0)
    assert first.folder == again.folder
    assert counted.pictures == len(val)
    assert counted.dtypes == {torch.uint8}
    assert torch.equal(rows(first), encode(direct(val, "pixels32")))
    others = [
        cached(val, Encoding(counted, "net", "pixels64"), str(tmp_path), 0),
        cached(val, Encoding(counted, "another", "pixels32"), str(tmp_path), 0),
        cached(val, Encoding(counted, "net", "pixels32"), str(tmp_path), 0, flip=True),
    ]
    assert len({cache.folder for cache in [first, *others]}) == 4


@pytest.mark.usefixtures("_blocks_of_four")
def test_ranks_share_the_blocks_and_each_has_all_rows(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, wait = threading.local(), threading.Barrier(2)
    monkeypatch.setattr(module, "world", lambda: (here.rank, 2))
    monkeypatch.setattr(module, "barrier", wait.wait)
    encoders, found = (Counted(), Counted()), dict[int, list[FeatureCache]]()

    def run(rank: int) -> None:
        here.rank = rank
        encoding = Encoding(encoders[rank], "e", "small64")
        splits = [ShardDataset(dataset, split) for split in ("train", "val")]
        found[rank] = [cached(split, encoding, str(tmp_path), 0) for split in splits]

    threads = [threading.Thread(target=run, args=(rank,), daemon=True) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Blocks 0, 2, 4 of train and 0 of val; blocks 1, 3, 5 and 1.
    assert [encoder.pictures for encoder in encoders] == [12 + 4, 11 + 3]
    for one, other in zip(found[0], found[1], strict=True):
        assert one.missing() == other.missing() == []
        assert torch.equal(rows(one), rows(other))


@pytest.mark.usefixtures("_blocks_of_four")
def test_a_node_without_a_shared_disk_computes_the_blocks_of_the_others_too(
    val: ShardDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "world", lambda: (1, 2))
    monkeypatch.setattr(module, "barrier", lambda: None)
    counted = Counted()
    cache = cached(val, Encoding(counted, "e", "small64"), str(tmp_path), 0)
    assert counted.pictures == len(val)
    assert torch.equal(rows(cache), encode(direct(val)))


def test_other_data_never_meets_an_old_cache(dataset: Path, tmp_path: Path) -> None:
    jobs = drawn_clips.jobs()
    jobs["val"][0]["seed"] += 100
    plan = Plan("changed", clips_per_shard=4, workers=2)
    changed = write_dataset(tmp_path / "shards", jobs, drawn_clips.draw, plan)
    counted = Counted()

    def folders(shards: Path) -> list[Path]:
        splits = [ShardDataset(shards, split) for split in ("train", "val")]
        encoding = Encoding(counted, "e", "small64")
        return [cached(split, encoding, str(tmp_path / "features"), 0).folder for split in splits]

    before = folders(dataset)
    clips = counted.pictures
    after = folders(changed)
    assert counted.pictures - clips == drawn_clips.COUNTS["val"]  # the training split is the same to the byte
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_a_picture_that_cannot_be_decoded_is_named(val: ShardDataset, tmp_path: Path) -> None:
    val.member = lambda position, kind: b"no picture"  # type: ignore[method-assign]
    with pytest.raises(InputError, match="val-00"):
        cached(val, Encoding(encode, "e", "small64"), str(tmp_path), 0)
