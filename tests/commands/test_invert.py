import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from controlling import Trio, invert, picture, trio
from sound2scene import artifacts, images
from sound2scene.control.found import INVERTED, read_inversions
from sound2scene.latent import draw_pictures
from tiny import tiny_encoder


@pytest.fixture(scope="module")
def networks(tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trio:
    return trio(tmp_path_factory.mktemp("networks"), tiny_image_encoder)


def test_a_folder_holds_pictures_course_figure_latents_and_record(networks: Trio, tmp_path: Path) -> None:
    assert invert(networks, tmp_path / "out", [picture(tmp_path / "a.png")], "--seed", "2") == 0
    names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")}
    assert names == {
        "control.json",
        "invert.png",
        INVERTED,
        "latents.safetensors",
        "a/0_firstnoise_0.png",
        "a/1_inversion_0.png",
        "a/picture.png",
        "a/search.csv",
    }
    assert len((tmp_path / "out" / "a" / "search.csv").read_text().splitlines()) == 1 + 3
    record = json.loads((tmp_path / "out" / "control.json").read_text())
    assert record["operation"] == "invert"
    assert record["noise"]["seed"] == 2
    assert set(record["networks"]) == {"generator", "image_encoder"}
    numbers = record["rows"][0]["steps"][1]["numbers"]
    assert {"psnr_db", "ssim", "feature_cosine", "noise_mean_square"} <= set(numbers)


@pytest.mark.costly
def test_the_reconstruction_is_what_the_generator_draws_of_the_latent(networks: Trio, tmp_path: Path) -> None:
    assert invert(networks, tmp_path / "out", [picture(tmp_path / "a.png")]) == 0
    (found,) = read_inversions(tmp_path / "out" / INVERTED).found.values()
    network = artifacts.load(networks.generator)
    with torch.no_grad():
        expected_BCHW = images.to_pixel(draw_pictures(network, found.z_D[None], found.noise_Z[None]))
    drawn_HWC = np.array(Image.open(tmp_path / "out" / "a" / "1_inversion_0.png"))
    assert np.array_equal(drawn_HWC, expected_BCHW[0].permute(1, 2, 0).numpy())


def test_a_bad_file_costs_a_line_and_the_rest_is_done(
    networks: Trio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    files = [tmp_path / "bad.png", tmp_path / "none.png", tmp_path, picture(tmp_path / "a.png")]
    assert invert(networks, tmp_path / "out", files) == 1
    lines = capsys.readouterr().err.splitlines()
    for words in ("bad.png: not a picture", "none.png: missing", ": a folder, not a file"):
        assert sum(words in line for line in lines) == 1
    assert list(read_inversions(tmp_path / "out" / INVERTED).found) != []


def test_where_no_picture_can_be_read_nothing_is_written(networks: Trio, tmp_path: Path) -> None:
    assert invert(networks, tmp_path / "out", [tmp_path / "none.png"]) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("grey", [0, 255])
def test_a_picture_of_one_colour_is_inverted(grey: int, networks: Trio, tmp_path: Path) -> None:
    Image.new("RGB", (20, 20), (grey, grey, grey)).save(tmp_path / "plain.png")
    assert invert(networks, tmp_path / "out", [tmp_path / "plain.png"]) == 0


def test_networks_that_do_not_belong_together_are_one_line(
    networks: Trio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = networks._replace(image_encoder=tiny_encoder(tmp_path / "other", seed=1))
    assert invert(other, tmp_path / "out", [picture(tmp_path / "a.png")]) == 2
    assert re.fullmatch(r"sound2scene: .*take the pair that was trained together\n", capsys.readouterr().err)
