import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from drawing import GENERATOR, tiny_generator, tiny_trainer
from sound2scene import artifacts, audio, cli, images
from sound2scene.callbacks import sample_grid
from sound2scene.data.clips import ClipDataModule
from sound2scene.latent import seed_of_clip
from sound2scene.methods.sound2scene import SOUNDS_AT_ONCE, FrozenGenerator, SoundToScene
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.models.biggan import Generator
from sound2scene.protocols import Method, Pictures
from sound2scene.types import InputError
from tiny import NET, Z_DIM, tiny_encoder, tiny_features, tiny_stage


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


@pytest.mark.costly
def test_a_sounds_picture_does_not_depend_on_the_files_beside_it(
    pair: tuple[Path, Path], sounds: list[Path], tmp_path: Path
) -> None:
    assert generate(pair, tmp_path / "all", sounds, "-n", "3") == 0
    assert generate(pair, tmp_path / "alone", sounds[4:5], "-n", "3") == 0
    assert generate(pair, tmp_path / "turned", sounds[::-1], "-n", "3") == 0
    names = {f"{path.stem}.png" for path in sounds} | {"grid.png", "pictures.json"}
    assert {path.name for path in (tmp_path / "all").iterdir()} == names
    whole = {path.stem: (tmp_path / "all" / f"{path.stem}.png").read_bytes() for path in sounds}
    assert (tmp_path / "alone" / "tone4.png").read_bytes() == whole["tone4"]
    assert all((tmp_path / "turned" / f"{name}.png").read_bytes() == data for name, data in whole.items())
    strip = np.asarray(Image.open(tmp_path / "all" / "tone0.png"))
    assert strip.shape == (32, 3 * 32, 3)
    assert not np.array_equal(strip[:, :32], strip[:, 32:64])


@pytest.mark.costly
def test_seed_and_truncation_change_the_pictures_and_the_first_draws_stay(
    pair: tuple[Path, Path], sounds: list[Path], tmp_path: Path
) -> None:
    found = {}
    settings: dict[str, list[str]] = {
        "plain": [],
        "seed": ["--seed", "1"],
        "cut": ["--truncation", "0.5"],
        "few": ["-n", "2"],
    }
    for name, more in settings.items():
        assert generate(pair, tmp_path / name, sounds[:1], *more) == 0
        found[name] = np.asarray(Image.open(tmp_path / name / "tone0.png"))
    assert found["plain"].shape == (32, 8 * 32, 3)  # eight by default
    assert not np.array_equal(found["seed"], found["plain"])
    assert not np.array_equal(found["cut"], found["plain"])
    assert np.array_equal(found["few"], found["plain"][:, :64])


@pytest.mark.costly
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


def test_draw_j_of_many_is_draw_j_of_that_seed(pair: tuple[Path, Path]) -> None:
    drawing, z_BD = FrozenGenerator(str(pair[1])), torch.rand(2, Z_DIM)
    many_JCHW = drawing.draw_many(z_BD[1], draws=4, seed=5)
    assert many_JCHW.shape == (4, 3, 32, 32)
    for draw in range(4):
        alone_BCHW = drawing.draw(z_BD, [9, 5], draw)
        assert torch.equal(alone_BCHW[1], many_JCHW[draw])
    other_BCHW = drawing.draw(z_BD[1:], [6], 3)
    assert (other_BCHW[0] - many_JCHW[3]).abs().max() > 1e-3
    assert (many_JCHW[0] - many_JCHW[3]).abs().max() > 1e-3


def test_pictures_do_not_depend_on_the_length_of_a_latent(pair: tuple[Path, Path]) -> None:
    drawing, z_BD = FrozenGenerator(str(pair[1])), torch.rand(1, Z_DIM)
    torch.testing.assert_close(drawing.draw(7 * z_BD, [1]), drawing.draw(z_BD, [1]), rtol=0, atol=1e-5)


def test_the_scene_draws_what_its_generator_draws_as_pixels(pair: tuple[Path, Path]) -> None:
    scene, z_BD = SoundToScene(str(pair[0]), str(pair[1]), "cpu"), torch.rand(2, Z_DIM)
    assert scene.resolution == scene.drawing.resolution == 32
    drawn_BJCHW = scene.draw(z_BD, draws=3, seed=4, truncation=0.6)
    for row, z_D in enumerate(z_BD):
        expected_JCHW = FrozenGenerator(str(pair[1])).draw_many(z_D, 3, 4, 0.6)
        assert torch.equal(drawn_BJCHW[row], images.to_pixel(expected_JCHW))


def test_a_picture_of_a_figure_over_a_split_can_be_drawn_again(pair: tuple[Path, Path]) -> None:
    scene, z_BD = SoundToScene(str(pair[0]), str(pair[1]), "cpu"), torch.rand(2, Z_DIM)
    seeds = [seed_of_clip(0, key) for key in ("one", "other")]
    shown_BCHW = images.to_pixel(scene.drawing.draw(z_BD, seeds, draw=1))
    assert torch.equal(scene.draw(z_BD[1:], draws=2, seed=seeds[1])[0, 1], shown_BCHW[1])


@pytest.fixture(scope="module")
def heard(sounds: list[Path]) -> Tensor:
    return torch.from_numpy(np.stack([audio.load(path) for path in sounds]))


@pytest.mark.costly
def test_a_scene_is_a_method_that_draws_each_clip_with_a_seed_of_its_own(
    pair: tuple[Path, Path], heard: Tensor
) -> None:
    scene, keys = SoundToScene(*pair, device="cpu"), ["one", "other"]
    assert isinstance(scene, Method)
    assert not scene.deterministic
    drawn_BJCHW = scene.pictures(heard[:2], keys, 3, 7)
    for row, key in enumerate(keys):
        z_BD = scene.encode(heard[row : row + 1])
        assert torch.equal(drawn_BJCHW[row], scene.draw(z_BD, 3, seed_of_clip(7, key))[0])
    same_BJCHW = scene.pictures(heard[[0, 0]], keys, 3, 7)
    assert not torch.equal(same_BJCHW[0], same_BJCHW[1])


@pytest.mark.costly
def test_a_picture_is_the_same_to_the_last_bit_whatever_is_drawn_beside_it(
    pair: tuple[Path, Path], heard: Tensor
) -> None:
    scene, keys = SoundToScene(*pair, device="cpu"), [f"clip-{number}" for number in range(len(heard))]
    whole = scene.pictures(heard, keys, 3, 7)
    assert torch.equal(scene.pictures(heard[5:6], keys[5:6], 3, 7), whole[5:6])
    assert torch.equal(scene.pictures(heard.flip(0), keys[::-1], 1, 7), whole.flip(0)[:, :1])
    assert scene.pictures(heard[:0], [], 3, 7).shape == (0, 3, 3, 32, 32)
    z_BD = scene.encode(heard)
    drawn = scene.draw(z_BD, 5, 1, 0.5)
    assert torch.equal(scene.draw(z_BD[[4, 2]], 3, 1, 0.5), drawn[[4, 2]][:, :3])


@pytest.mark.costly
def test_a_picture_of_a_training_grid_can_be_drawn_again_by_the_command(
    pair: tuple[Path, Path],
    tiny_shards: Path,
    tiny_image_encoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[tuple[Pictures, list[int], Tensor]] = []
    draw_grid = sample_grid.draw_grid

    def noting(split: Pictures, rows: list[int], drawn_BJCHW: Tensor, *more: Any) -> Figure:
        shown.append((split, rows, drawn_BJCHW))
        return draw_grid(split, rows, drawn_BJCHW, *more)

    monkeypatch.setattr(sample_grid, "draw_grid", noting)
    stage = tiny_stage(drawing=FrozenGenerator(str(pair[1])))
    features = tiny_features(tiny_image_encoder, tmp_path / "features")
    data = ClipDataModule(str(tiny_shards), batch_size=6, workers=0, features=features)
    trainer = tiny_trainer(tmp_path)
    trainer.validate(stage, data, verbose=False)
    assert sample_grid.SampleGrid(rows=3, draws=2).draw(trainer, stage) is not None
    ((split, rows, drawn_BJCHW),) = shown

    notes = {"image_encoder": artifacts.read_card(tiny_image_encoder).fingerprint}
    card = {"kind": "audio-encoder", "preset": stage.preset, "notes": notes}
    audio_encoder = artifacts.save(stage.audio_encoder, tmp_path / "audio", card=card)
    sounds = [tmp_path / f"{split.key(position)}.flac" for position in rows]
    for path, position in zip(sounds, rows, strict=True):
        path.write_bytes(split.member(position, "flac"))
    assert generate((audio_encoder, pair[1]), tmp_path / "out", sounds, "-n", "2") == 0
    for path, drawn_JCHW in zip(sounds, drawn_BJCHW, strict=True):
        strip_HWC = np.asarray(Image.open(tmp_path / "out" / f"{path.stem}.png"))
        expected_HWC = torch.cat(list(drawn_JCHW), dim=2).permute(1, 2, 0).numpy()
        assert np.abs(strip_HWC.astype(int) - expected_HWC).max() <= 1


def test_a_generator_that_is_only_named_is_not_loaded(
    pair: tuple[Path, Path], tiny_image_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "load", lambda *_, **__: pytest.fail("loaded"))
    drawing = FrozenGenerator(str(pair[1]))
    assert drawing.folder == str(pair[1])
    assert drawing.image_encoder == artifacts.read_card(tiny_image_encoder).fingerprint


def test_a_generator_first_used_in_a_validation_draws_the_same_afterwards(pair: tuple[Path, Path]) -> None:
    drawing, z_BD = FrozenGenerator(str(pair[1])), torch.rand(2, Z_DIM)
    with torch.inference_mode():
        first_BCHW = drawing.draw(z_BD, [1, 2])
    assert torch.equal(drawing.draw(z_BD, [1, 2]), first_BCHW)
    assert not any(parameter.requires_grad for parameter in drawing.network.parameters())


def test_a_wrong_pair_is_refused(
    pair: tuple[Path, Path], sounds: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = tiny_generator(tmp_path / "foreign", tiny_encoder(tmp_path / "encoder", seed=1))
    assert generate((pair[0], foreign), tmp_path / "out", sounds[:1]) == 2
    line = r"^sound2scene: .*foreign: belongs to image encoder \w{12}, not to \w{12}; take the pair"
    assert re.search(line, capsys.readouterr().err, re.MULTILINE)
    notes = artifacts.read_card(pair[1]).origin.notes
    wider = Generator(**(GENERATOR | {"z_image_dim": Z_DIM + 1}))
    wide = artifacts.save(wider, tmp_path / "wide", card={"kind": "generator", "notes": notes})
    assert generate((pair[0], wide), tmp_path / "out", sounds[:1]) == 2
    line = rf"^sound2scene: .*wide: draws from latents of width {Z_DIM + 1}, and .* gives {Z_DIM}; take the"
    assert re.search(line, capsys.readouterr().err, re.MULTILINE)
    silent = tiny_generator(tmp_path / "silent", None)
    assert generate((pair[0], silent), tmp_path / "out", sounds[:1]) == 2
    assert "does not say to which image encoder" in capsys.readouterr().err
    with pytest.raises(InputError, match="kind 'generator', not 'audio-encoder'"):
        SoundToScene(str(pair[1]), str(pair[1]))
    with pytest.raises(InputError, match="kind 'audio-encoder', not 'generator'"):
        SoundToScene(str(pair[0]), str(pair[0]))
    with pytest.raises(InputError, match=r"nowhere: no artifact .* there; check the path"):
        FrozenGenerator(str(tmp_path / "nowhere"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("more", [("-n", "0"), ("--truncation", "3")])
def test_numbers_that_make_no_sense_are_refused_before_anything_is_written(
    pair: tuple[Path, Path], sounds: list[Path], tmp_path: Path, more: tuple[str, ...]
) -> None:
    assert generate(pair, tmp_path / "out", sounds[:1], *more) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.costly
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


def pixels(pictures: list[Image.Image]) -> list[bytes]:
    return [picture.tobytes() for picture in pictures]


@pytest.mark.costly
def test_a_scene_that_is_called_gives_the_pictures_of_the_command(
    pair: tuple[Path, Path], sounds: list[Path], tmp_path: Path
) -> None:
    scene = SoundToScene(pair[0], pair[1], "cpu")
    pictures = scene(sounds[1], draws=3, seed=5, truncation=0.7)
    assert [(type(one), one.size, one.mode) for one in pictures] == [(Image.Image, (32, 32), "RGB")] * 3
    assert generate(pair, tmp_path, sounds[1:2], "-n", "3", "--seed", "5", "--truncation", "0.7") == 0
    strip = np.asarray(Image.open(tmp_path / "tone1.png"))
    assert np.array_equal(np.concatenate([np.asarray(one) for one in pictures], axis=1), strip)


@pytest.mark.costly
def test_a_list_of_files_bytes_and_samples_gives_a_list_of_lists(
    pair: tuple[Path, Path], sounds: list[Path]
) -> None:
    scene = SoundToScene(pair[0], pair[1], "cpu")
    samples_TC, rate = soundfile.read(sounds[1], dtype="int16")
    forms = [str(sounds[1]), sounds[1].read_bytes(), samples_TC, torch.from_numpy(samples_TC.T.copy())]
    rows = scene(forms, draws=2, sample_rate_hz=rate)
    assert [pixels(row) for row in rows] == [pixels(scene(sounds[1], draws=2))] * 4
    assert pixels(scene(samples_TC, draws=2, sample_rate_hz=rate)) == pixels(rows[0])
    assert scene([]) == []
    assert pixels(scene(sounds[1], draws=np.int64(2), seed=np.int64(0))) == pixels(rows[0])


@pytest.mark.parametrize(
    ("sound", "settings", "told"),
    [
        (np.zeros(16_000), {}, r"^sound: an array does not say its rate; give sample_rate_hz"),
        ([np.zeros(16_000), 3], {"sample_rate_hz": 16_000}, r"^sound 1: a int is no sound; give a path"),
        ([0.1, 0.2], {}, r"^sound 0: a float is no sound"),
        ("bell.wav", {"sample_rate_hz": 44_100}, r"^sample_rate_hz=44100: files state their own rate"),
        ("none.wav", {}, r"^none\.wav: cannot be opened"),
        (
            np.zeros(16_000),
            {"sample_rate_hz": 16_000, "draws": 0},
            r"^draw\.draws is 0; set it to",
        ),
        (
            np.zeros(16_000),
            {"sample_rate_hz": 16_000, "draws": 1.5},
            r"^draw\.draws is 1.5; set it to a whole",
        ),
        (np.zeros(16_000), {"sample_rate_hz": 16_000, "seed": -1}, r"^draw\.seed is -1; set it to between"),
        (np.zeros(16_000), {"sample_rate_hz": 16_000, "truncation": 2}, r"^draw\.truncation is 2; set it to"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(
    pair: tuple[Path, Path], sound: Any, settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told) as caught:
        SoundToScene(pair[0], pair[1], "cpu")(sound, **settings)
    assert "\n" not in str(caught.value)


def test_tensors_of_other_shapes_are_refused_in_our_words(pair: tuple[Path, Path]) -> None:
    scene = SoundToScene(pair[0], pair[1], "cpu")
    for wrong in (torch.zeros(160_000), torch.zeros(1, 44_100), torch.zeros(1, 160_000, dtype=torch.int16)):
        with pytest.raises(InputError, match=r"^encode takes floats \(B, 160000\), not torch"):
            scene.encode(wrong)
    for latents in (torch.zeros(Z_DIM), torch.zeros(1, Z_DIM + 1)):
        with pytest.raises(InputError, match=rf"^draw takes latents \(B, {Z_DIM}\), not \("):
            scene.draw(latents)


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
