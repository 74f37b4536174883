import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from torch import Tensor

from sound2scene import cli
from sound2scene.commands import generate
from sound2scene.figures.drawn import DrawnSound
from sound2scene.methods import sound2scene
from sound2scene.methods.sound2scene import SOUNDS_AT_ONCE, SoundToScene
from sound2scene.types import InputError, Rejected

SIDE = 8


class Loudness:
    """Draws the loudest sample of a sound as a grey, one step darker with each draw."""

    def __init__(self, *networks: object) -> None:
        self.networks = networks
        self.batches: list[int] = []

    def encode(self, waveform_BT: Tensor) -> Tensor:
        self.batches.append(len(waveform_BT))
        return waveform_BT.abs().amax(dim=1, keepdim=True)

    def draw(self, z_BD: Tensor, draws: int, seed: int, truncation: float) -> Tensor:
        grey_BJ = (200 * z_BD - torch.arange(draws)).round().to(torch.uint8)
        return grey_BJ[:, :, None, None, None].expand(-1, -1, 3, SIDE, SIDE)


def tone(path: Path, peak: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(16_000, peak), 16_000)
    return path


def drawn(paths: list[Path], scene: Loudness | None = None) -> Iterator[DrawnSound | Rejected]:
    found = cast(SoundToScene, scene or Loudness())
    return generate.draw_files(found, paths, draws=2, seed=0, truncation=1.0)


def greys(path: Path) -> list[int]:
    """The grey of each picture of a strip."""
    strip_HWC = np.asarray(Image.open(path))
    assert strip_HWC.shape[::2] == (SIDE, 3)
    return [int(part.mean().round()) for part in np.split(strip_HWC, strip_HWC.shape[1] // SIDE, axis=1)]


def test_options_reach_the_networks_and_the_line_says_what_became_of_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[object, ...]] = []
    monkeypatch.setattr(
        sound2scene, "SoundToScene", lambda *networks: made.append(networks) or Loudness(*networks)
    )
    letter = tmp_path / "letter.wav"
    letter.write_text("Dear sound, ...\n" * 50)
    files = [str(tone(tmp_path / "a.wav", 0.5)), str(letter), str(tmp_path / "none.wav")]
    networks = ["--audio-encoder", "a", "--generator", "g", "--device", "cpu"]
    out = tmp_path / "out"
    assert cli.main(["generate", *files, "-o", str(out), "-n", "3", *networks]) == 1
    assert made == [("a", "g", "cpu")]
    printed = capsys.readouterr()
    told = [line for line in printed.err.splitlines() if line.startswith("sound2scene: ")]
    assert [name for name in ("letter.wav", "none.wav") if any(name in line for line in told)] == [
        "letter.wav",
        "none.wav",
    ]
    assert printed.out == f"{out}: 1 sounds drawn, 3 pictures each; 2 could not be read\n"
    assert {path.name for path in out.iterdir()} == {"a.png", "grid.png"}
    assert greys(out / "a.png") == pytest.approx([100, 99, 98], abs=1)


def test_files_are_drawn_in_their_order_and_in_batches(tmp_path: Path) -> None:
    paths = [tone(tmp_path / f"{number}.wav", number / 40) for number in range(1, 2 * SOUNDS_AT_ONCE)]
    paths.insert(3, tmp_path / "gone.wav")
    scene = Loudness()
    found = list(drawn(paths, scene))
    assert scene.batches == [SOUNDS_AT_ONCE - 1, SOUNDS_AT_ONCE]
    assert [one.name if isinstance(one, DrawnSound) else Path(one.key).stem for one in found] == [
        path.stem for path in paths
    ]
    for one, path in zip(found, paths, strict=True):
        if isinstance(one, DrawnSound):
            assert int(one.pixels_JCHW[0, 0, 0, 0]) == pytest.approx(200 * int(path.stem) / 40, abs=1)


def test_sounds_of_one_name_are_numbered(tmp_path: Path) -> None:
    paths = [
        tone(tmp_path / folder / "a.wav", peak) for folder, peak in (("x", 0.25), ("y", 0.5), ("z", 0.75))
    ]
    paths.append(tone(tmp_path / "grid.wav", 1.0))
    assert generate.write_pictures(drawn(paths), tmp_path / "out") == (4, [])
    names = ["a.png", "a-2.png", "a-3.png", "grid-2.png"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*names, "grid.png"}
    firsts = [greys(tmp_path / "out" / name)[0] for name in names]
    assert firsts == pytest.approx([50, 100, 150, 200], abs=1)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/out/a\.png: cannot be written .*; choose another folder"):
        generate.write_pictures(drawn([tone(tmp_path / "a.wav", 0.5)]), tmp_path / "file" / "out")


def test_a_picture_that_fails_half_way_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounds = [tone(tmp_path / "a.wav", 0.5)]
    generate.write_pictures(drawn(sounds), tmp_path / "out")
    before = (tmp_path / "out" / "a.png").read_bytes()

    def fails(self: Image.Image, path: Path, format: str) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fails)
    with pytest.raises(InputError, match="disk full"):
        generate.write_pictures(drawn(sounds), tmp_path / "out")
    assert (tmp_path / "out" / "a.png").read_bytes() == before
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.png", "grid.png"}


def test_nothing_readable_writes_nothing(tmp_path: Path) -> None:
    written, rejected = generate.write_pictures(drawn([tmp_path / "none.wav"]), tmp_path / "out")
    assert written == 0
    assert [Path(one.key).name for one in rejected] == ["none.wav"]
    assert not (tmp_path / "out").exists()


def test_the_grid_shows_the_first_sounds_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "GRID_ROWS", 2)
    sounds = [tone(tmp_path / f"{number}.wav", 0.5) for number in range(3)]
    generate.write_pictures(drawn(sounds[:2]), tmp_path / "two")
    generate.write_pictures(drawn(sounds), tmp_path / "three")
    two, three = (Image.open(tmp_path / name / "grid.png").size for name in ("two", "three"))
    assert two == three


def test_names_in_any_bytes_and_of_any_length_are_drawn(tmp_path: Path) -> None:
    names = [b"\xff\x80.wav", "犬$_^{}\\.wav".encode(), b"x" * 251 + b".wav", b"y" * 250 + b"1.wav"]
    paths = [tmp_path / os.fsdecode(name) for name in names]
    for path in paths:
        tone(tmp_path / "a.wav", 0.5).rename(path)  # libsndfile's wrapper writes no such names
    assert generate.write_pictures(drawn([*paths, paths[2]]), tmp_path / "out") == (5, [])
    found = {os.fsencode(path.name) for path in (tmp_path / "out").iterdir()}
    cut = [b"x" * generate.NAME_BYTES + end for end in (b".png", b"-2.png")]
    assert found >= {b"grid.png", b"\xff\x80.png", "犬$_^{}\\.png".encode(), *cut}


def test_the_grid_shows_the_first_draws_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "GRID_DRAWS", 1)
    generate.write_pictures(drawn([tone(tmp_path / "a.wav", 0.5)]), tmp_path / "out")
    with Image.open(tmp_path / "out" / "grid.png") as grid:
        assert 2 * 256 < grid.size[0] < 3 * 256
