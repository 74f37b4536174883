import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from controlling import Trio, edit, invert, picture, trio
from selected import first
from sound2scene.control.found import INVERTED
from tiny import tiny_encoder


@pytest.fixture(scope="module")
def networks(tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trio:
    return trio(tmp_path_factory.mktemp("networks"), tiny_image_encoder)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sounds") / "hiss.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(16_000), 16_000)
    return path


@pytest.fixture(scope="module")
def inverted(networks: Trio, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A picture and the folder of its inversion."""
    folder = tmp_path_factory.mktemp("inverted")
    given = picture(folder / "a.png")
    assert invert(networks, folder / "out", [given]) == 0
    return given, folder / "out"


@pytest.mark.costly
@pytest.mark.parametrize("before", first([True, False]), ids=["from a file", "anew"])
def test_strength_zero_gives_the_inversions_picture_to_the_last_bit(
    before: bool, networks: Trio, sound: Path, inverted: tuple[Path, Path], tmp_path: Path
) -> None:
    given, folder = inverted
    latent = ["--latent", str(folder / INVERTED)] if before else []
    words = ["--sound", str(sound), "--db", "-6,12", "--strength", "-1:1:1", *latent]
    assert edit(networks, tmp_path / "out", [given], *words) == 0
    drawn = [(tmp_path / "out" / "a" / f"{name}_0.png").read_bytes() for name in ("0_-1", "1_0", "2_+1")]
    assert drawn[1] == (folder / "a" / "1_inversion_0.png").read_bytes()
    assert len(set(drawn)) == 3
    record = json.loads((tmp_path / "out" / "control.json").read_text())
    steps = record["rows"][0]["steps"]
    assert [step["numbers"]["strength"] for step in steps] == [-1.0, 0.0, 1.0]
    assert all("feature_cosine" in step["numbers"] for step in steps)
    assert steps[1]["numbers"]["z_cosine"] == pytest.approx(1)
    assert record["settings"]["gains_db"] == [-6.0, 12.0]


def test_the_two_sounds_lie_beside_the_pictures(
    networks: Trio, sound: Path, inverted: tuple[Path, Path], tmp_path: Path
) -> None:
    latent = ["--latent", str(inverted[1] / INVERTED)]
    assert edit(networks, tmp_path, [inverted[0]], "--sound", str(sound), "--strength", "1", *latent) == 0
    quiet_T, loud_T = (soundfile.read(tmp_path / f"{name}.flac")[0] for name in ("from", "to"))
    ratio = np.sqrt((loud_T**2).mean() / (quiet_T**2).mean())
    assert 10 ** (10 / 20) < ratio <= 10 ** (12.1 / 20)  # 12 dB, and what full scale takes of it


@pytest.mark.costly
def test_an_edit_can_lead_from_any_sound_to_another(
    networks: Trio, sound: Path, inverted: tuple[Path, Path], tmp_path: Path
) -> None:
    other = tmp_path / "tone.wav"
    soundfile.write(other, 0.3 * np.sin(np.arange(16_000) / 9), 16_000)
    words = ["--sound", str(other), "--against", str(sound), "--latent", str(inverted[1] / INVERTED)]
    assert edit(networks, tmp_path / "out", [inverted[0]], *words) == 0
    record = json.loads((tmp_path / "out" / "control.json").read_text())
    names = [Path(one["file"]).name for one in record["rows"][0]["sources"]]
    assert names == ["a.png", "tone.wav", "hiss.wav"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--strength", "nan"], "--strength nan: 'nan' is no finite number"),
        (["--strength", ","], "--strength: an empty list"),
        (["--strength", "2:1:1"], "--strength 2:1:1: the step leads away"),
        (["--db", "0"], "--db 0: an edit goes from one gain to another; give two, such as 0,12"),
        (["--db", "3,3"], "--db 3,3: an edit goes from one gain to another"),
        (["--db", "0,nan"], "--db nan: 'nan' is no finite number"),
        (["--db", "0,6", "--against", "x.wav"], "--db 0,6: with --against the sounds are taken as they are"),
        (["--against", "none.wav"], "none.wav: "),
        (["--latent", "none.safetensors"], "none.safetensors: missing"),
        (["--steps", "0"], "argument --steps: must be between 1 and 100000, not 0"),
    ],
)
def test_a_wrong_setting_is_one_line(
    words: list[str],
    line: str,
    networks: Trio,
    sound: Path,
    inverted: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert edit(networks, tmp_path / "out", [inverted[0]], "--sound", str(sound), *words) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"sound2scene: {line}")
    assert told.count("\n") == 1


def test_a_latent_file_of_another_generator_is_refused(
    networks: Trio,
    sound: Path,
    inverted: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from drawing import tiny_generator

    other = networks._replace(generator=tiny_generator(tmp_path / "g", networks.image_encoder, seed=5))
    words = ["--sound", str(sound), "--latent", str(inverted[1] / INVERTED)]
    assert edit(other, tmp_path / "out", [inverted[0]], *words) == 2
    assert "was found for generator" in capsys.readouterr().err


def test_a_picture_that_was_not_inverted_costs_a_line(
    networks: Trio,
    sound: Path,
    inverted: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = [picture(tmp_path / "new.png", 7), inverted[0]]
    words = ["--sound", str(sound), "--latent", str(inverted[1] / INVERTED)]
    assert edit(networks, tmp_path / "out", files, *words) == 1
    assert "new.png: not among the pictures of" in capsys.readouterr().err
    assert (tmp_path / "out" / "a").is_dir()


def test_an_image_encoder_of_another_world_is_refused(
    networks: Trio, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = networks._replace(image_encoder=tiny_encoder(tmp_path / "other", seed=1))
    assert edit(other, tmp_path / "out", [picture(tmp_path / "a.png")], "--sound", str(sound)) == 2
    assert "take the pair that was trained together" in capsys.readouterr().err
