import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from drawing import tiny_generator
from sound2scene import artifacts, audio, cli
from sound2scene.methods.sound2scene import SOUNDS_AT_ONCE, SoundToScene
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.types import InputError
from tiny import NET, Z_DIM


@pytest.fixture(scope="module")
def pair(tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An audio encoder and a generator of one image encoder."""
    folder = tmp_path_factory.mktemp("pair")
    torch.manual_seed(0)
    notes = {"image_encoder": artifacts.read_card(tiny_image_encoder).fingerprint}
    card = {"kind": "audio-encoder", "preset": "log_mel", "notes": notes}
    audio_encoder = artifacts.save(AudioEncoder(Z_DIM, "resnet18", NET), folder / "audio", card=card)
    return audio_encoder, tiny_generator(folder / "generator", tiny_image_encoder)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Tones of several pitches, rates and channels."""
    folder = tmp_path_factory.mktemp("sounds")
    paths = []
    for number in range(SOUNDS_AT_ONCE + 2):
        rate = (16_000, 44_100, 8_000)[number % 3]
        second_T = np.arange(2 * rate) / rate
        tone_T = 0.4 * np.sin(2 * np.pi * 150 * (number + 1) * second_T) + 0.01 * np.cos(9 * second_T)
        paths.append(folder / f"tone{number}.wav")
        soundfile.write(paths[-1], np.stack([tone_T] * (1 + number % 2), axis=1), rate)
    return paths


def generate(pair: tuple[Path, Path], folder: Path, files: list[Path], *more: str) -> int:
    networks = ["--audio-encoder", str(pair[0]), "--generator", str(pair[1]), "--device", "cpu"]
    return cli.main(["generate", *map(str, files), "-o", str(folder), *networks, *more])


def test_a_sounds_picture_does_not_depend_on_the_files_beside_it(
    pair: tuple[Path, Path], sounds: list[Path], tmp_path: Path
) -> None:
    assert generate(pair, tmp_path / "all", sounds, "-n", "3") == 0
    assert generate(pair, tmp_path / "alone", sounds[4:5], "-n", "3") == 0
    assert generate(pair, tmp_path / "turned", sounds[::-1], "-n", "3") == 0
    names = {f"{path.stem}.png" for path in sounds} | {"grid.png"}
    assert {path.name for path in (tmp_path / "all").iterdir()} == names
    whole = {path.stem: (tmp_path / "all" / f"{path.stem}.png").read_bytes() for path in sounds}
    assert (tmp_path / "alone" / "tone4.png").read_bytes() == whole["tone4"]
    assert all((tmp_path / "turned" / f"{name}.png").read_bytes() == data for name, data in whole.items())
    strip = np.asarray(Image.open(tmp_path / "all" / "tone0.png"))
    assert strip.shape == (32, 3 * 32, 3)
    assert not np.array_equal(strip[:, :32], strip[:, 32:64])


def test_seed_and_truncation_change_the_pictures_and_the_first_draws_stay(
    pair: tuple[Path, Path], sounds: list[Path], tmp_path: Path
) -> None:
    found = {}
    settings = {"plain": [], "seed": ["--seed", "1"], "cut": ["--truncation", "0.5"], "few": ["-n", "2"]}
    for name, more in settings.items():
        assert generate(pair, tmp_path / name, sounds[:1], *more) == 0
        found[name] = np.asarray(Image.open(tmp_path / name / "tone0.png"))
    assert found["plain"].shape == (32, 8 * 32, 3)  # eight by default
    assert not np.array_equal(found["seed"], found["plain"])
    assert not np.array_equal(found["cut"], found["plain"])
    # The noise is the same; a batch of two may differ in the last bit of a float.
    assert np.abs(found["few"].astype(int) - found["plain"][:, :64]).max() <= 1


def test_python_gives_what_the_command_writes(
    pair: tuple[Path, Path], sounds: list[Path], tmp_path: Path
) -> None:
    scene = SoundToScene(str(pair[0]), str(pair[1]), "cpu")
    z_audio_BD = scene.encode(torch.from_numpy(audio.load(sounds[1]))[None])
    pixels_BJCHW = scene.draw(z_audio_BD, draws=2, seed=5)
    torch.testing.assert_close(z_audio_BD.norm(dim=1), torch.ones(1))
    assert (pixels_BJCHW.shape, pixels_BJCHW.dtype) == ((1, 2, 3, 32, 32), torch.uint8)
    assert generate(pair, tmp_path, sounds[1:2], "-n", "2", "--seed", "5") == 0
    written = np.asarray(Image.open(tmp_path / "tone1.png"))
    assert np.array_equal(written, torch.cat(list(pixels_BJCHW[0]), dim=2).permute(1, 2, 0).numpy())


def test_a_file_that_is_no_sound_costs_a_line_and_the_others_are_drawn(
    pair: tuple[Path, Path], sounds: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "letter.wav"
    text.write_text("Dear sound, ...\n" * 50)
    files = [sounds[0], text, sounds[1], tmp_path / "nowhere.wav"]
    assert generate(pair, tmp_path / "out", files, "-n", "1") == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"tone0.png", "tone1.png", "grid.png"}
    printed = capsys.readouterr()
    told = [line for line in printed.err.splitlines() if line.startswith("sound2scene: ")]
    assert len(told) == 2
    assert "letter.wav" in told[0]
    assert "nowhere.wav" in told[1]
    assert "2 sounds drawn, 1 pictures each; 2 could not be read" in printed.out


def test_sounds_of_one_name_are_numbered(pair: tuple[Path, Path], sounds: list[Path], tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / sounds[0].name
    other.parent.mkdir()
    other.write_bytes(sounds[2].read_bytes())
    grid = tmp_path / "elsewhere" / "grid.wav"
    grid.write_bytes(sounds[2].read_bytes())
    assert generate(pair, tmp_path / "out", [sounds[0], other, grid], "-n", "1") == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"tone0.png", "tone0-2.png", "grid-2.png", "grid.png"}
    assert (tmp_path / "out" / "tone0.png").read_bytes() != (tmp_path / "out" / "tone0-2.png").read_bytes()
    assert (tmp_path / "out" / "grid-2.png").read_bytes() == (tmp_path / "out" / "tone0-2.png").read_bytes()


def test_a_grid_that_is_replaced_is_never_half_written(
    pair: tuple[Path, Path], sounds: list[Path], tmp_path: Path
) -> None:
    out, kept = tmp_path / "out", tmp_path / "kept.png"
    assert generate(pair, out, sounds[:1], "-n", "1") == 0
    kept.hardlink_to(out / "grid.png")
    before = kept.read_bytes()
    assert generate(pair, out, sounds[1:2], "-n", "1") == 0
    assert (out / "grid.png").read_bytes() != before
    assert kept.read_bytes() == before  # another file took its name; its own bytes were never touched
    assert {path.name for path in out.iterdir()} == {"tone0.png", "tone1.png", "grid.png"}


def test_a_wrong_pair_is_refused(
    pair: tuple[Path, Path], sounds: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = tiny_generator(tmp_path / "silent", None)
    assert generate((pair[0], silent), tmp_path / "out", sounds[:1]) == 2
    assert "does not say to which image encoder" in capsys.readouterr().err
    with pytest.raises(InputError, match="kind 'generator', not 'audio-encoder'"):
        SoundToScene(str(pair[1]), str(pair[1]))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("more", [("-n", "0"), ("--truncation", "3")])
def test_numbers_that_make_no_sense_are_refused_before_anything_is_written(
    pair: tuple[Path, Path], sounds: list[Path], tmp_path: Path, more: tuple[str, ...]
) -> None:
    assert generate(pair, tmp_path / "out", sounds[:1], *more) == 2
    assert not (tmp_path / "out").exists()


def test_published_sounds_and_an_mp3_are_drawn(
    pair: tuple[Path, Path], real_data: Path, tmp_path: Path
) -> None:
    files = sorted((real_data / "vggsound_samples" / "inference").glob("*.wav"))
    assert len(files) == 8
    mp3 = tmp_path / "stereo.mp3"
    second_T = np.arange(3 * 44_100) / 44_100
    tones = np.stack([np.sin(2 * np.pi * hz * second_T) for hz in (440, 660)], axis=1) * 0.3
    soundfile.write(mp3, tones, 44_100)
    assert generate(pair, tmp_path / "out", [*files, mp3], "-n", "2") == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 10


def test_help_needs_no_torch() -> None:
    code = """
import sys
from sound2scene import cli
try:
    cli.main(["generate", "--help"])
except SystemExit:
    print("torch" in sys.modules)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] == "False"
