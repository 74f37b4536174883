import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from safetensors.torch import load_file

from sound2scene import audio
from sound2scene.commands import control_files
from sound2scene.commands.control_files import Appearance, ControlFiles, Row, Step
from sound2scene.commands.control_record import RECORD, Made, read_record
from sound2scene.commands.picture_record import Network
from sound2scene.figures.steps import ShownRow, page_of_steps
from sound2scene.types import CLIP_SAMPLES, Rejected

MADE = Made(
    "volume", 3, 2, 1.0, {"db": [0.0, 4.0]}, "cpu", {"generator": Network(folder="g", fingerprint="b")}
)
LOOK = Appearance("Volume", "gain in dB")


def steps(count: int, heard: bool = True) -> Iterator[Step]:
    for number in range(count):
        waveform_T = torch.full((CLIP_SAMPLES,), number / 8) if heard else None
        pixels_JCHW = torch.full((2, 3, 8, 8), 10 * number, dtype=torch.uint8)
        z_D = torch.full((4,), float(number))
        yield Step(f"{number} dB", z_D, pixels_JCHW, waveform_T, numbers={"gain_db": number})


def row(name: str, count: int = 2, heard: bool = True) -> Row:
    return Row(name, [{"file": f"{name}.wav", "sha256": "a"}], steps(count, heard), count)


def test_every_picture_and_every_sound_lies_where_the_record_says(tmp_path: Path) -> None:
    writer = ControlFiles(tmp_path / "out", MADE, LOOK)
    rejected = [Rejected("c.wav", "c.wav: no sound")]
    assert writer.write([row("dog"), *rejected, row("dog")]) == rejected
    record = read_record(tmp_path / "out")
    assert [one["name"] for one in record["rows"]] == ["dog", "dog-2"]
    assert record["unreadable"] == [{"file": "c.wav", "reason": "c.wav: no sound"}]
    assert (record["pages"], record["settings"]) == (["volume.png"], {"db": [0.0, 4.0]})
    latents = load_file(tmp_path / "out" / record["latents"])
    for one in record["rows"]:
        assert latents[one["latents"]][:, 0].tolist() == [0, 1]
        for number, step in enumerate(one["steps"]):
            assert (step["label"], step["numbers"]) == (f"{number} dB", {"gain_db": number})
            assert step["sound"] is not None
            assert audio.load(tmp_path / "out" / step["sound"])[0] == number / 8
            shown = [np.asarray(Image.open(tmp_path / "out" / name)) for name in step["pictures"]]
            assert [(one_HWC.shape, one_HWC.max()) for one_HWC in shown] == [((8, 8, 3), 10 * number)] * 2
    named = {RECORD, record["latents"], *record["pages"]}
    named |= {name for one in record["rows"] for step in one["steps"] for name in step["pictures"]}
    named |= {step["sound"] or "" for one in record["rows"] for step in one["steps"]}
    found = {
        str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    assert found == named


def test_of_nothing_nothing_is_written(tmp_path: Path) -> None:
    assert len(ControlFiles(tmp_path / "out", MADE, LOOK).write([Rejected("c.wav", "no sound")])) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.costly
@pytest.mark.parametrize("kind", ["gif", "mp4"])
def test_an_animation_has_a_frame_for_each_step(tmp_path: Path, kind: control_files.Moving) -> None:
    writer = ControlFiles(tmp_path, MADE, LOOK._replace(animation=kind))
    writer.write([row("dog", 3), row("one", 1)])
    first, alone = read_record(tmp_path)["rows"]
    assert (first["animation"], alone["animation"]) == (f"dog/dog.{kind}", None)
    if kind == "gif":
        with Image.open(tmp_path / "dog" / "dog.gif") as opened:
            assert getattr(opened, "n_frames", 0) == 3
    assert (tmp_path / "dog" / f"dog.{kind}").stat().st_size > 500


def test_no_more_steps_are_held_than_a_figure_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_files, "SHOWN_STEPS", 3)
    held: list[int] = []
    place = ControlFiles._place
    monkeypatch.setattr(
        ControlFiles, "_place", lambda self, shown: (held.append(len(shown.steps)), place(self, shown))
    )
    ControlFiles(tmp_path, MADE, LOOK).write([row("long", 9, heard=False)])
    assert held == [3]
    record = read_record(tmp_path)
    assert [step["pictures"][0] for step in record["rows"][0]["steps"]][-1] == "long/8_8dB_0.png"


def test_a_full_page_is_turned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_files, "PAGE_LINES", 6)
    writer = ControlFiles(tmp_path, MADE, LOOK)
    writer.write([row(name, heard=False) for name in "abc"])
    assert writer.pages == ["volume.png", "volume-2.png"]
    assert [one["page"] for one in writer.rows] == ["volume.png", "volume.png", "volume-2.png"]


@pytest.mark.costly
def test_noise_of_the_steps_own_is_kept_and_names_that_are_taken_are_not_used(tmp_path: Path) -> None:
    noise_JZ = torch.arange(6.0).reshape(2, 3)
    noisy = [step._replace(noise_JZ=noise_JZ + number) for number, step in enumerate(steps(2))]
    writer = ControlFiles(tmp_path, MADE, LOOK)
    writer.write([row(name)._replace(steps=noisy) for name in ("volume.png", "Control.json")])
    assert [one["name"] for one in writer.rows] == ["volume.png-2", "Control.json-2"]
    noise = load_file(tmp_path / control_files.LATENTS)[writer.rows[1]["noise"] or ""]
    assert torch.equal(noise, torch.stack([noise_JZ, noise_JZ + 1]))


def test_the_figure_says_seed_and_what_is_the_same(tmp_path: Path) -> None:
    told: list[str] = []

    def page(rows: Sequence[ShownRow], title: str, axis: str, about: str) -> Figure:
        told.append(about)
        return page_of_steps(rows, title, axis, about)

    ControlFiles(tmp_path, MADE, LOOK._replace(page=page)).write([row("dog")])
    assert told == ["noise: seed 3, draws 0 to 1, truncation 1 (none), the same in every step"]
    assert json.loads((tmp_path / RECORD).read_text())["noise"]["seed"] == 3
