import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from drawing import tiny_generator
from manifolds import save_audio, save_autoencoder
from selected import first
from sound2scene import artifacts, cli
from sound2scene.commands.picture_record import PACKAGES, RECORD, read_record
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.types import InputError
from tiny import NET, Z_DIM
from tiny_s2i import audio_artifact, generator_artifact


@pytest.fixture(scope="module")
def pair(tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options that name an audio encoder and a generator of one image encoder."""
    folder = tmp_path_factory.mktemp("pair")
    torch.manual_seed(0)
    notes = {"image_encoder": artifacts.read_card(tiny_image_encoder).fingerprint}
    card = {"kind": "audio-encoder", "preset": "log_mel", "notes": notes}
    artifacts.save(AudioEncoder(Z_DIM, "resnet18", NET), folder / "audio", card=card)
    tiny_generator(folder / "generator", tiny_image_encoder)
    return ["--audio-encoder", str(folder / "audio"), "--generator", str(folder / "generator")]


@pytest.fixture(scope="module")
def pictures(pair: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two sounds of one name, beside a file that cannot be read; not to write to."""
    root = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for name, hz in (("x/bell.wav", 300), ("y/bell.wav", 700)):
            Path(name).parent.mkdir()
            soundfile.write(name, 0.3 * np.sin(np.arange(16_000) * 2 * np.pi * hz / 16_000), 16_000)
        Path("x/broken.wav").write_text("no sound")
        settings = ["-n", "3", "--seed", "5", "--truncation", "0.7", "--device", "cpu"]
        assert cli.main(["generate", "x", "y/bell.wav", "-o", "out", *settings, *pair]) == 1
    return root


@pytest.fixture
def drawn(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them, as if they had been drawn there."""
    shutil.copytree(pictures, tmp_path, dirs_exist_ok=True)
    record = json.loads((tmp_path / "out" / RECORD).read_text())
    assert record["cwd"] == str(pictures)
    (tmp_path / "out" / RECORD).write_text(json.dumps(record | {"cwd": str(tmp_path)}))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "out"


def bits(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def test_the_record_says_what_was_drawn_of_what_and_with_what(drawn: Path, pair: list[str]) -> None:
    record = read_record(drawn)
    assert (record["seed"], record["draws"], record["truncation"]) == (5, 3, 0.7)
    assert (record["layout"], record["device"]) == ("strip", "cpu")
    assert record["method"]["kind"] == "sound2scene"
    assert record["method"]["networks"] == {
        name: {"folder": folder, "fingerprint": artifacts.read_card(folder).fingerprint}
        for name, folder in (("audio_encoder", pair[1]), ("generator", pair[3]))
    }
    assert [(one["file"], one["pictures"]) for one in record["sounds"]] == [
        ("x/bell.wav", ["bell.png"]),
        ("y/bell.wav", ["bell-2.png"]),
    ]
    assert [one["file"] for one in record["unreadable"]] == ["x/broken.wav"]
    assert {"python", "sound2scene", "torch"} <= record["versions"].keys() == {"python", *PACKAGES}
    assert record["command"]


@pytest.mark.costly
def test_a_record_draws_the_same_pictures_again_to_the_last_bit_from_anywhere(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert cli.main(["generate", "--again", str(drawn / RECORD), "-o", "again"]) == 0
    assert bits(Path("again")) == bits(drawn)
    assert set(bits(drawn)) == {"bell.png", "bell-2.png", "grid.png"}
    # The record of what was drawn again draws them a third time, in that very folder.
    assert cli.main(["generate", "--again", "again", "-o", "again", "-n", "3"]) == 0
    assert bits(Path("again")) == bits(drawn)
    assert "may differ" not in capsys.readouterr().err


@pytest.mark.costly
def test_a_record_from_before_there_were_methods_is_drawn_again(drawn: Path) -> None:
    record = json.loads((drawn / RECORD).read_text())
    record |= record.pop("method")["networks"]
    (drawn / RECORD).write_text(json.dumps(record))
    assert cli.main(["generate", "--again", "out", "-o", "again"]) == 0
    assert bits(Path("again")) == bits(drawn)
    del record["generator"]
    (drawn / RECORD).write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"out: does not say what drew; draw the pictures anew"):
        read_record(drawn)


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ({"kind": "x", "networks": {}}, "out: drawn by 'x', which this version cannot draw again; draw anew"),
        ({"kind": "s2i", "networks": {}}, "out: drawn by 's2i', which this version cannot draw again"),
        (
            {"kind": "real", "networks": {}},
            "method 'real': looks into a dataset and cannot draw other sounds",
        ),
    ],
)
def test_a_record_of_a_method_that_is_none_is_refused_in_one_line(
    method: dict[str, Any], told: str, drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = json.loads((drawn / RECORD).read_text()) | {"method": method, "truncation": 1}
    (drawn / RECORD).write_text(json.dumps(record))
    assert cli.main(["generate", "--again", "out", "-o", "again"]) == 2
    assert capsys.readouterr().err.startswith(f"sound2scene: {told}")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, Path]]:
    """Word of each other method that draws, and one of its artifacts by key."""
    folder = tmp_path_factory.mktemp("others")
    autoencoder = save_autoencoder(folder / "autoencoder")
    network = save_audio(folder / "manifold", autoencoder)
    audio = audio_artifact(folder / "s2i-audio")
    generator = generator_artifact(folder / "s2i-generator", audio)
    return {
        "manifold": (f"manifold:audio_network={network},autoencoder={autoencoder}", network),
        "s2i": (f"s2i:audio={audio},generator={generator}", generator),
    }


@pytest.mark.costly
@pytest.mark.parametrize(("kind", "key"), first([("manifold", "audio_network"), ("s2i", "generator")]))
def test_another_method_draws_into_the_same_files_and_again_to_the_last_bit(
    kind: str,
    key: str,
    drawn: Path,
    others: dict[str, tuple[str, Path]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    word, network = others[kind]
    asked = ["x/bell.wav", "y/bell.wav", "-n", "3", "--seed", "5", "--device", "cpu"]
    assert cli.main(["generate", *asked, "-o", "first", "--method", word]) == 0
    assert bits(Path("first")).keys() == bits(drawn).keys()
    record = read_record(Path("first"))
    assert record["method"]["kind"] == kind
    fingerprint = artifacts.read_card(network).fingerprint
    assert record["method"]["networks"][key] == {"folder": str(network), "fingerprint": fingerprint}
    assert cli.main(["generate", "--again", "first", "-o", "again"]) == 0
    assert bits(Path("again")) == bits(Path("first"))
    # A picture is its own sound's: not that of its name, nor of the sounds beside it.
    assert cli.main(["generate", *asked[1:], "-o", "alone", "--method", word]) == 0
    assert bits(Path("alone"))["bell.png"] == bits(Path("first"))["bell-2.png"]
    shutil.copytree(network, "moved")
    moved = ["generate", "--again", "first", "-o", "third", "--method", f"{kind}:{key}=moved"]
    assert cli.main(moved) == 0
    assert bits(Path("third")) == bits(Path("first"))
    capsys.readouterr()
    assert cli.main(["generate", "--again", "first", "-o", "fourth", "--method", "sound2scene"]) == 2
    told = f"sound2scene: --method sound2scene: --again draws with {kind}, as first says; leave it out"
    assert capsys.readouterr().err.startswith(told)
    assert cli.main(["generate", *asked, "-o", "cut", "--method", word, "--truncation", "0.5"]) == 2
    told = f"sound2scene: --truncation 0.5: {kind} has no noise to truncate; leave it out\n"
    assert capsys.readouterr().err == told
    assert not Path("cut").exists()


def test_the_word_of_the_usual_method_draws_what_its_options_draw(drawn: Path, pair: list[str]) -> None:
    word = f"sound2scene:audio_encoder={pair[1]},generator={pair[3]}"
    settings = ["-n", "3", "--seed", "5", "--truncation", "0.7", "--device", "cpu", "--method", word]
    assert cli.main(["generate", "x", "y/bell.wav", "-o", "again", *settings]) == 1
    assert bits(Path("again")) == bits(drawn)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            ["--method", "real"],
            "method 'real': looks into a dataset and cannot draw other sounds; choose among",
        ),
        (["--method", "other"], "method 'other': unknown kind 'other'; choose among sound2scene, manifold"),
        (["--method", "s2i:audio=nowhere"], "nowhere: no artifact"),
        (["--method", "s2i", "--generator", "x"], "--method s2i: names its artifacts itself, as in"),
    ],
)
def test_a_method_that_cannot_draw_sounds_is_refused_in_one_line(
    drawn: Path, more: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["generate", "x/bell.wav", "-o", "again", *more]) == 2
    assert capsys.readouterr().err.startswith(f"sound2scene: {told}")
    assert not Path("again").exists()


@pytest.mark.costly
def test_a_sound_that_has_changed_is_named_and_the_others_are_drawn(
    drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write("x/bell.wav", np.zeros(16_000), 16_000)
    assert cli.main(["generate", "--again", "out/pictures.json", "-o", "again"]) == 1
    assert "x/bell.wav: has changed since it was drawn; bring the old file back" in capsys.readouterr().err
    assert (Path("again") / "bell-2.png").read_bytes() == (drawn / "bell-2.png").read_bytes()
    assert not Path("again", "bell.png").exists()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["x/bell.wav"], "--again out: draws the sounds that it names; leave out files and --list"),
        (["--seed", "6"], "--seed 6: --again draws with 5, as out says; leave it out"),
        (["-n", "2"], "--draws 2: --again draws with 3"),
        (["--layout", "files"], "--layout files: --again draws with strip"),
        (["--audio-encoder", "other"], "other: no artifact"),
        (["--method", "s2i"], "--method s2i: --again draws with sound2scene, as out says; leave it out"),
    ],
)
def test_something_else_than_the_record_says_is_refused_before_anything_is_drawn(
    drawn: Path, more: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["generate", *more, "--again", "out", "-o", "again"]) == 2
    assert f"sound2scene: {told}" in capsys.readouterr().err
    assert not Path("again").exists()


@pytest.mark.costly
def test_another_network_is_refused_and_one_that_moved_may_be_named(
    drawn: Path, pair: list[str], tiny_image_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tiny_generator(drawn.parent / "other", tiny_image_encoder, seed=1)
    assert cli.main(["generate", "--again", "out", "-o", "again", "--generator", str(other)]) == 2
    assert "pictures were drawn with" in capsys.readouterr().err
    assert not Path("again").exists()
    shutil.copytree(pair[3], "moved")
    assert cli.main(["generate", "--again", "out", "-o", "again", "--generator", "moved"]) == 0
    assert bits(Path("again")) == bits(drawn)


@pytest.mark.costly
def test_other_software_is_told(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = json.loads((drawn / RECORD).read_text())
    record["versions"]["torch"] = "1.0"
    (drawn / RECORD).write_text(json.dumps(record))
    assert cli.main(["generate", "--again", "out", "-o", "again"]) == 0
    assert "drawn with torch 1.0, here 2." in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        {"sounds": [{"name": 1}]},
        {"format": 9},
        {"draws": 0},
        {"layout": "x"},
        {"method": {"kind": "s2i", "networks": {"audio": "x"}}},
    ],
)
def test_a_damaged_record_is_one_line(drawn: Path, change: dict[str, Any]) -> None:
    record = json.loads((drawn / RECORD).read_text())
    (drawn / RECORD).write_text(json.dumps(record | change))
    with pytest.raises(InputError, match=r"pictures\.json: .*; draw the pictures anew"):
        read_record(drawn)
