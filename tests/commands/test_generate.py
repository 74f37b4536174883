import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from torch import Tensor

from sound2scene import cli, progress
from sound2scene.commands import generate, picture_files
from sound2scene.commands.picture_files import Heard
from sound2scene.commands.picture_order import USUAL, Asked, Settings
from sound2scene.methods import sound2scene
from sound2scene.methods.sound2scene import SOUNDS_AT_ONCE, SoundToScene
from sound2scene.metrics import familiarity
from sound2scene.types import Rejected

SIDE = 8


class Loudness:
    """Draws the loudest sample of a sound as a grey, one step darker with each draw."""

    def __init__(self, *networks: object) -> None:
        self.networks = networks
        self.batches: list[int] = []

    def encode(self, waveform_BT: Tensor) -> Tensor:
        self.batches.append(len(waveform_BT))
        return waveform_BT.abs().amax(dim=1, keepdim=True)

    device, familiar, fingerprints = "cpu", None, {"audio_encoder": "a" * 64, "generator": "b" * 64}

    def draw(self, z_BD: Tensor, draws: int, seed: int, truncation: float) -> Tensor:
        grey_BJ = (200 * z_BD - torch.arange(draws)).round().to(torch.uint8)
        return grey_BJ[:, :, None, None, None].expand(-1, -1, 3, SIDE, SIDE)


def tone(path: Path, peak: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(16_000, peak), 16_000)
    return path


def drawn(paths: list[Path], scene: Loudness | None = None) -> Iterator[Heard | Rejected]:
    found = cast(SoundToScene, scene or Loudness())
    asked = [Asked(path, path.stem) for path in paths]
    return generate.draw_files(found, asked, Settings(USUAL, draws=2))


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
    assert {path.name for path in out.iterdir()} == {"a.png", "grid.png", "pictures.json"}
    assert greys(out / "a.png") == pytest.approx([100, 99, 98], abs=1)


def test_files_are_drawn_in_their_order_and_in_batches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_S", -1.0)
    paths = [tone(tmp_path / f"{number}.wav", number / 40) for number in range(1, 2 * SOUNDS_AT_ONCE)]
    paths.insert(3, tmp_path / "gone.wav")
    scene = Loudness()
    found = list(drawn(paths, scene))
    told = capsys.readouterr().err.splitlines()  # a bar would be one line, with returns inside
    assert [line.partition(" (")[0] for line in told[:2]] == ["drawing: 8 of 16", "drawing: 16 of 16"]
    assert scene.batches == [SOUNDS_AT_ONCE - 1, SOUNDS_AT_ONCE]
    assert [one.sound.name if isinstance(one, Heard) else Path(one.key).stem for one in found] == [
        path.stem for path in paths
    ]
    for one, path in zip(found, paths, strict=True):
        if isinstance(one, Heard):
            assert int(one.sound.pixels_JCHW[0, 0, 0, 0]) == pytest.approx(200 * int(path.stem) / 40, abs=1)


@pytest.mark.costly
def test_a_sound_that_lies_far_is_named_and_a_familiar_one_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    z_ND = torch.eye(4).repeat(10, 1) + 0.05 * torch.rand(40, 4)
    known = familiarity.of_latents(z_ND)

    class Knowing(Loudness):
        """Hears a quiet sound as a familiar one, and a loud one as none of them."""

        familiar = known  # type: ignore[assignment]

        def encode(self, waveform_BT: Tensor) -> Tensor:
            loud_B = waveform_BT.abs().amax(dim=1) > 0.5
            return torch.where(loud_B[:, None], -torch.ones(4), z_ND[0])

        def draw(self, z_BD: Tensor, draws: int, seed: int, truncation: float) -> Tensor:
            return torch.zeros(len(z_BD), draws, 3, SIDE, SIDE, dtype=torch.uint8)

    monkeypatch.setattr(sound2scene, "SoundToScene", Knowing)
    monkeypatch.setattr(generate, "TOLD", 1)
    files = [
        str(tone(tmp_path / f"{name}.wav", peak))
        for name, peak in (("far", 0.9), ("near", 0.1), ("odd", 0.9))
    ]
    assert cli.main(["generate", *files, "-o", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().err.splitlines()
    assert re.search(
        r"far\.wav: lies far from the sounds .* \(cosine to the nearest -0\.\d+, 95 % of", told[0]
    )
    assert told[1] == f"sound2scene: 2 of 3 sounds lie so far; see {tmp_path / 'out' / 'pictures.json'}"
    assert len(told) == 2
    found = json.loads((tmp_path / "out" / "pictures.json").read_text())["sounds"]
    assert [(one["name"], one["far"]) for one in found] == [("far", True), ("near", False), ("odd", True)]


@pytest.mark.costly
def test_pages_and_draws_that_a_grid_leaves_out_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sound2scene, "SoundToScene", Loudness)
    monkeypatch.setattr(picture_files, "GRID_ROWS", 2)
    monkeypatch.setattr(picture_files, "GRID_DRAWS", 1)
    for number in range(5):
        tone(tmp_path / "in" / f"{number}.wav", 0.5)
    out = tmp_path / "out"
    assert cli.main(["generate", str(tmp_path / "in"), "-o", str(out), "-n", "2", "--layout", "grid"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == ["grid.png to grid-3.png: 2 sounds a page", "grid.png: shows the first 1 of 2 draws"]
    assert {path.name for path in out.iterdir()} == {"grid.png", "grid-2.png", "grid-3.png", "pictures.json"}
