from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize

from sound2scene import artifacts, images
from sound2scene.control.picture_encoder import PictureEncoder, read_picture
from sound2scene.types import InputError

CPU = torch.device("cpu")


def encoder(folder: Path) -> PictureEncoder:
    return PictureEncoder(str(folder), artifacts.read_card(folder).fingerprint, "g", CPU)


@pytest.mark.parametrize("colour", [None, "red"])
def test_a_picture_goes_through_the_cards_preset_to_unit_length(
    tiny_image_encoder: Path, tmp_path: Path, colour: str | None
) -> None:
    picture = Image.effect_noise((90, 70), 60).convert("RGB")
    if colour:
        picture = Image.new("RGB", (90, 70), colour)
    picture.save(tmp_path / "a.png")
    z_D = encoder(tiny_image_encoder).encode(read_picture(tmp_path / "a.png"), "a.png")
    network = artifacts.load(tiny_image_encoder)
    with torch.no_grad():
        expected_D = network(images.preset("small64")(picture)[None])[0]
    torch.testing.assert_close(z_D, normalize(expected_D, dim=0))


def test_another_encoder_than_the_generators_is_refused(tiny_image_encoder: Path) -> None:
    with pytest.raises(InputError, match="g: belongs to image encoder cafe"):
        PictureEncoder(str(tiny_image_encoder), "cafe" * 16, "g", CPU)


def test_an_encoder_that_sees_nothing_is_said_by_the_pictures_name(
    tiny_image_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    blind = encoder(tiny_image_encoder)
    monkeypatch.setattr(blind, "_encoder", lambda image_BCHW: torch.zeros(1, 8))
    with pytest.raises(InputError, match=r"a\.png: the image encoder sees nothing"):
        blind.encode(read_picture(tmp_path / "a.png"), "a.png")
    (tmp_path / "b.png").write_text("no picture")
    with pytest.raises(InputError, match=r"b\.png: not a picture"):
        read_picture(tmp_path / "b.png")
