from pathlib import Path

import pytest
import torch

from drawing import tiny_data, tiny_generator
from sound2scene import artifacts
from sound2scene.data.batches.frozen_encoder import load_frozen
from sound2scene.types import InputError
from tiny import Z_DIM

CPU = torch.device("cpu")


@pytest.mark.parametrize("key", ["generator.z_image_dim", "audio_encoder.z_dim"])
def test_another_width_is_refused_in_one_line_with_both_and_the_key(
    tiny_image_encoder: Path, tmp_path: Path, key: str
) -> None:
    line = rf"image-encoder: features have 8 dimensions and {key} is 5; make them the same$"
    with pytest.raises(InputError, match=line):
        load_frozen(str(tiny_image_encoder), str(tmp_path), CPU, key, 5)


def test_an_artifact_of_another_kind_is_refused(tiny_image_encoder: Path, tmp_path: Path) -> None:
    generator = tiny_generator(tmp_path / "generator", tiny_image_encoder)
    with pytest.raises(InputError, match="generator"):
        load_frozen(str(generator), str(tmp_path), CPU, "audio_encoder.z_dim", Z_DIM)


def test_features_are_the_artifacts_without_gradient(tiny_image_encoder: Path, tmp_path: Path) -> None:
    encode = load_frozen(str(tiny_image_encoder), str(tmp_path), CPU, "audio_encoder.z_dim", Z_DIM).encode
    image_BCHW = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected_BD = artifacts.load(tiny_image_encoder)(image_BCHW)
    found_BD = encode(image_BCHW)
    assert torch.equal(found_BD, expected_BD)
    assert not found_BD.requires_grad


def test_pictures_meet_the_network_on_its_device_and_features_come_back(
    tiny_image_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = torch.device(
        "meta"
    )  # all is computed there and nothing is kept: the way back has to be a made one
    encode = load_frozen(str(tiny_image_encoder), str(tmp_path), away, "audio_encoder.z_dim", Z_DIM).encode
    back: list[torch.Tensor] = []

    def cpu(tensor: torch.Tensor) -> torch.Tensor:
        back.append(tensor)
        return torch.zeros(tensor.shape)

    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    assert encode(torch.rand(2, 3, 64, 64)).device == CPU
    assert [(features.device, features.shape) for features in back] == [(away, (2, Z_DIM))]


def test_the_data_hands_its_features_over_and_keeps_them_under_its_name(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    frozen = load_frozen(
        str(tiny_image_encoder), str(tmp_path / "cache"), CPU, "generator.z_image_dim", Z_DIM
    )
    card = artifacts.read_card(tiny_image_encoder)
    assert frozen[1:] == (card.fingerprint, "small64", str(tmp_path / "cache"))
    data = tiny_data(tiny_shards, read=["image"], image_preset="small64")
    data.use_features(["val"], *frozen)
    batch = data.examples("val", [4, 0])
    assert batch.image_BCHW is not None
    assert batch.z_image_BD is not None
    torch.testing.assert_close(batch.z_image_BD, frozen.encode(batch.image_BCHW), rtol=0, atol=1e-5)
    assert data.features["val"].folder.parent == tmp_path / "cache"
