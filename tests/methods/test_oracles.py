from pathlib import Path

import pytest
import torch

from drawing import tiny_generator
from looked_up import silence, split_features
from sound2scene import images
from sound2scene.data.batches.frozen_encoder import FrozenFeatures
from sound2scene.data.batches.reader import open_picture
from sound2scene.data.shards.read import ShardDataset
from sound2scene.latent import seed_of_clip
from sound2scene.methods.oracles import Ceiling, LookedUp, Real
from sound2scene.methods.sound2scene import FrozenGenerator
from sound2scene.protocols import Loading, Method
from sound2scene.types import InputError
from tiny import tiny_encoder

KEYS = ["test-004", "test-000", "test-004"]
POSITIONS = [4, 0, 4]


@pytest.fixture(scope="module")
def split(tiny_shards: Path) -> ShardDataset:
    return ShardDataset(tiny_shards, "test")


@pytest.fixture(scope="module")
def features(tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> FrozenFeatures:
    return split_features(tiny_image_encoder, tmp_path_factory.mktemp("oracles"))


def test_clips_are_found_by_their_keys_and_another_splits_are_refused(split: ShardDataset) -> None:
    assert LookedUp(split).positions(KEYS) == POSITIONS
    with pytest.raises(InputError, match=r"^split test: no clip 'train-000'; a method that looks clips up"):
        LookedUp(split).positions(["test-000", "train-000"])


def test_real_shows_the_pictures_of_the_clips(split: ShardDataset) -> None:
    method = Real(split, 16)
    assert isinstance(method, Method)
    assert method.deterministic
    assert method.fingerprints == {"clips": split.fingerprint}
    drawn = method.pictures(silence(3), KEYS, 2, 5)
    assert (drawn.shape, drawn.dtype) == ((3, 2, 3, 16, 16), torch.uint8)
    for row, position in enumerate(POSITIONS):
        expected_CHW = images.square_pixels(open_picture(split, position), 16)
        assert torch.equal(drawn[row], expected_CHW.expand(2, -1, -1, -1))
    assert not torch.equal(drawn[0], drawn[1])
    assert method.pictures(silence(0), [], 2, 5).shape == (0, 2, 3, 16, 16)


def test_the_ceiling_draws_from_the_true_latents_with_the_noise_of_each_clip(
    split: ShardDataset, features: FrozenFeatures, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    drawing = FrozenGenerator(str(tiny_generator(tmp_path / "generator", tiny_image_encoder)))
    method = Ceiling(drawing, split, features)
    assert isinstance(method, Method)
    assert isinstance(method, Loading)
    method.load()
    drawn = method.pictures(silence(3), KEYS, 2, 5)
    for row, (key, position) in enumerate(zip(KEYS, POSITIONS, strict=True)):
        z_D = torch.tensor(features.of(split).row(position))
        expected_JCHW = drawing.draw_many(z_D, 2, seed_of_clip(5, key))
        assert torch.equal(drawn[row], images.to_pixel(expected_JCHW))
    assert not torch.equal(drawn[0, 0], drawn[0, 1])
    assert torch.equal(method.pictures(silence(1), KEYS[1:2], 1, 5)[0, 0], drawn[1, 0])
    assert method.pictures(silence(0), [], 2, 5).shape == (0, 2, 3, 32, 32)


def test_a_generator_of_another_image_encoder_has_no_ceiling_here(
    split: ShardDataset, features: FrozenFeatures, tmp_path: Path
) -> None:
    foreign = tiny_generator(tmp_path / "foreign", tiny_encoder(tmp_path / "encoder", seed=1))
    with pytest.raises(InputError, match=r"foreign: belongs to image encoder \w{12}, not to \w{12}"):
        Ceiling(FrozenGenerator(str(foreign)), split, features)
