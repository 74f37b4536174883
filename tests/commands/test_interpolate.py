from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from drawn_steps import Bench, assert_same, generated, pixels, run, run_status
from sound2scene import latent
from tiny import tiny_encoder


def encoder_option(bench: Bench) -> list[str]:
    return ["--image-encoder", str(bench.image_encoder)]


@pytest.mark.costly
def test_both_ends_of_a_way_are_what_generate_draws_of_them(bench: Bench, tmp_path: Path) -> None:
    record = run(bench, tmp_path / "out", "interpolate", "bell.wav", "horn.wav", "--steps", "3")
    steps = record["rows"][0]["steps"]
    assert [step["label"] for step in steps] == ["bell", "0.5", "horn"]
    for step, name in ((steps[0], "bell"), (steps[2], "horn")):
        assert_same(pixels(tmp_path / "out", step), generated(bench, tmp_path / name, f"{name}.wav"))
    assert [step["sound"] is None for step in steps] == [False, True, False]


@pytest.mark.costly
def test_a_picture_is_a_station_through_the_image_encoder(bench: Bench, tmp_path: Path) -> None:
    words = ["interpolate", "bell.wav", "street.png", "red.jpg", "--steps", "3", "--path", "spherical"]
    record = run(bench, tmp_path, *words, *encoder_option(bench))
    (row,) = record["rows"]
    assert [step["label"] for step in row["steps"]] == ["bell", "0.5", "street", "0.5", "red"]
    assert list(record["networks"]) == ["audio_encoder", "generator", "image_encoder"]
    z_SD = load_file(tmp_path / record["latents"])[row["latents"]]
    torch.testing.assert_close(z_SD.norm(dim=1), torch.ones(5))
    cosines = [float(z_SD[first] @ z_SD[first + 1]) for first in (0, 2)]
    assert cosines == pytest.approx([float(z_SD[first + 1] @ z_SD[first + 2]) for first in (0, 2)], abs=1e-5)


@pytest.mark.costly
def test_noise_goes_from_draw_to_draw_and_both_ends_are_those_of_generate(
    bench: Bench, tmp_path: Path
) -> None:
    record = run(bench, tmp_path / "out", "interpolate", "bell.wav", "--noise", "--steps", "3")
    (row,) = record["rows"]
    drawn = generated(bench._replace(options=[*bench.options, "-n", "3"]), tmp_path / "bell", "bell.wav")
    assert_same(pixels(tmp_path / "out", row["steps"][0]), drawn[:2])
    assert_same(pixels(tmp_path / "out", row["steps"][2]), drawn[1:])
    noise_SJZ = load_file(tmp_path / "out" / record["latents"])[row["noise"] or ""]
    assert torch.equal(noise_SJZ[0, 1], latent.noise(5, 1, 8))
    assert noise_SJZ.shape == (3, 2, 8)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["bell.wav"], "one station is no way"),
        (["bell.wav", "letter.txt"], "letter.txt: not a sound"),
        (["bell.wav", "gone.png"], "gone.png: missing"),
        (["bell.wav", "horn.wav", "--steps", "1"], "between 2 and 1001"),
    ],
)
def test_what_is_no_station_is_one_line(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    assert run_status(bench, tmp_path / "out", "interpolate", *words, *encoder_option(bench)) == 2
    printed = capsys.readouterr()
    assert line in printed.err
    assert printed.err.count("\n") == 1


def test_a_picture_through_another_image_encoder_is_refused(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ["--image-encoder", str(tiny_encoder(tmp_path / "other", seed=1))]
    assert run_status(bench, tmp_path / "out", "interpolate", "bell.wav", "street.png", *other) == 2
    assert "take the pair that was trained together" in capsys.readouterr().err
    assert np.all([not (tmp_path / "out").exists()])
