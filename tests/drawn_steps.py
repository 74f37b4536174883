"""Tiny networks, sounds and readers for the tests of the commands of control."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from PIL import Image

from drawing import tiny_generator
from sound2scene import artifacts, cli
from sound2scene.commands.control_record import ControlRecord, WrittenStep, read_record
from sound2scene.models.audio_encoder import AudioEncoder
from tiny import NET, Z_DIM


class Bench(NamedTuple):
    """A folder of sounds and pictures, options that name networks, and the image encoder."""

    folder: Path
    options: list[str]
    image_encoder: Path


def made_bench(folder: Path, image_encoder: Path) -> Bench:
    """Two sounds that no 16 bits hold, at 44.1 kHz, a picture, a picture of one colour, and a letter."""
    torch.manual_seed(0)
    notes = {"image_encoder": artifacts.read_card(image_encoder).fingerprint}
    card = {"kind": "audio-encoder", "preset": "log_mel", "notes": notes}
    artifacts.save(AudioEncoder(Z_DIM, "resnet18", NET), folder / "audio", card=card)
    tiny_generator(folder / "generator", image_encoder)
    rng = np.random.default_rng(0)
    for name, hz in (("bell", 300), ("horn", 700)):
        tone_T = 0.2 * np.sin(np.arange(44_100) * 2 * np.pi * hz / 44_100) + 0.01 * rng.standard_normal(
            44_100
        )
        soundfile.write(folder / f"{name}.wav", tone_T, 44_100, subtype="FLOAT")
    Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(folder / "street.png")
    Image.new("RGB", (50, 50), "red").save(folder / "red.jpg")
    (folder / "letter.txt").write_text("Dear sound, ...\n" * 50)
    networks = ["--audio-encoder", str(folder / "audio"), "--generator", str(folder / "generator")]
    return Bench(folder, [*networks, "--device", "cpu", "-n", "2", "--seed", "5"], image_encoder)


def run(bench: Bench, out: Path, *words: str) -> ControlRecord:
    """A command on files of the bench, and the record that it leaves."""
    assert run_status(bench, out, *words) == 0
    return read_record(out)


def run_status(bench: Bench, out: Path, *words: str) -> int:
    """A command on files of the bench."""
    given = [str(bench.folder / word) if (bench.folder / word).is_file() else word for word in words]
    return cli.main([*given, "-o", str(out), *bench.options])


def pixels(folder: Path, step: WrittenStep) -> list[NDArray[np.uint8]]:
    """The pictures of a step."""
    return [np.asarray(Image.open(folder / name)) for name in step["pictures"]]


def generated(bench: Bench, out: Path, name: str) -> list[NDArray[np.uint8]]:
    """What `generate` draws of a sound."""
    assert run_status(bench, out, "generate", name, "--layout", "files") == 0
    return [np.asarray(Image.open(path)) for path in sorted(out.glob("*.png"))]


def assert_same(found: list[NDArray[np.uint8]], expected: list[NDArray[np.uint8]]) -> None:
    """Pictures are the same to the last bit."""
    assert len(found) == len(expected) > 0
    for one_HWC, other_HWC in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one_HWC, other_HWC)
