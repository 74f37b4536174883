from pathlib import Path

import numpy as np
import pytest
import torch

from looked_up import sounds_of, split_features, tiny_hearing
from sound2scene.data.batches import features as feature_blocks
from sound2scene.data.batches.features import FeatureCache
from sound2scene.data.shards.read import ShardDataset
from sound2scene.methods import nearest
from sound2scene.methods.hearing import FrozenAudioEncoder
from sound2scene.methods.nearest import Nearest
from sound2scene.methods.oracles import square_pictures
from sound2scene.protocols import Loading, Method
from sound2scene.types import InputError
from tiny import tiny_encoder

KEYS = [f"test-{number:03d}" for number in range(9)]


@pytest.fixture
def hearing(tiny_image_encoder: Path, tmp_path: Path) -> FrozenAudioEncoder:
    return FrozenAudioEncoder(str(tiny_hearing(tmp_path / "audio", tiny_image_encoder)), "cpu")


@pytest.mark.costly
@pytest.mark.parametrize("block", [5, 128])
def test_it_shows_the_training_picture_of_the_largest_cosine(
    block: int,
    hearing: FrozenAudioEncoder,
    tiny_shards: Path,
    tiny_image_encoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feature_blocks, "BLOCK", block)
    monkeypatch.setattr(nearest, "QUERIES_AT_ONCE", 4)
    training = ShardDataset(tiny_shards, "train")
    features = split_features(tiny_image_encoder, tmp_path / "cache")
    method = Nearest(hearing, training, features, 16)
    assert isinstance(method, Method)
    assert isinstance(method, Loading)
    method.load()
    waveform_BT = sounds_of(ShardDataset(tiny_shards, "test"), KEYS)
    z_audio_BD = hearing.encode(waveform_BT).numpy()
    z_image_ND = np.stack([features.of(training).row(position) for position in range(18)])
    expected = [
        max(range(18), key=lambda row: float(z_D @ z_image_ND[row] / np.linalg.norm(z_image_ND[row])))
        for z_D in z_audio_BD
    ]
    assert method.positions(waveform_BT) == expected
    drawn = method.pictures(waveform_BT, KEYS, 2, 0)
    assert torch.equal(drawn[:, 0], square_pictures(training, expected, 16))
    assert torch.equal(drawn[:, 0], drawn[:, 1])
    assert torch.equal(method.pictures(waveform_BT[5:6], ["other"], 1, 9), drawn[5:6, :1])
    assert method.pictures(waveform_BT[:0], [], 2, 0).shape == (0, 2, 3, 16, 16)


def test_a_short_latent_that_points_the_same_way_wins_over_a_long_one_and_the_first_of_two_alike(
    hearing: FrozenAudioEncoder, tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    training = ShardDataset(tiny_shards, "train")
    features = split_features(tiny_image_encoder, tmp_path / "cache")
    method = Nearest(hearing, training, features, 16)
    waveform_BT = sounds_of(ShardDataset(tiny_shards, "test"), KEYS[:1])
    z_D = hearing.encode(waveform_BT)[0]
    rows_ND = torch.full((18, len(z_D)), 100.0)
    rows_ND[[7, 11]] = 0.01 * z_D
    cache = FeatureCache(tmp_path / "made", "encoder", "small64", "data", 18)
    cache.write(0, rows_ND)
    method.__dict__["_gallery"] = cache
    assert method.positions(waveform_BT) == [7]


def test_an_audio_encoder_of_another_image_encoder_is_refused(
    hearing: FrozenAudioEncoder, tiny_shards: Path, tmp_path: Path
) -> None:
    features = split_features(tiny_encoder(tmp_path / "encoder", seed=1), tmp_path / "cache")
    with pytest.raises(InputError, match=r"audio: belongs to image encoder \w{12}, not to \w{12}"):
        Nearest(hearing, ShardDataset(tiny_shards, "train"), features, 16)
