"""Tiny networks and pictures for the commands that invert."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from drawing import tiny_generator
from sound2scene import artifacts, cli
from sound2scene.models.audio_encoder import AudioEncoder
from tiny import NET, Z_DIM

QUICK = ("--steps", "3", "--starts", "1", "--device", "cpu")


class Trio(NamedTuple):
    """Artifacts that belong together."""

    audio_encoder: Path
    generator: Path
    image_encoder: Path

    def options(self, *names: str) -> list[str]:
        """Options that name some of them."""
        return [word for name in names for word in (f"--{name.replace('_', '-')}", str(getattr(self, name)))]


def trio(folder: Path, image_encoder: Path) -> Trio:
    """An audio encoder and a generator with random weights, for features of that image encoder."""
    torch.manual_seed(0)
    notes = {"image_encoder": artifacts.read_card(image_encoder).fingerprint}
    card = {"kind": "audio-encoder", "preset": "log_mel", "notes": notes}
    audio_encoder = artifacts.save(AudioEncoder(Z_DIM, "resnet18", NET), folder / "audio", card=card)
    return Trio(audio_encoder, tiny_generator(folder / "generator", image_encoder), image_encoder)


def picture(path: Path, seed: int = 0, side: tuple[int, int] = (40, 32)) -> Path:
    """A picture of seeded blots."""
    pixels_HWC = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels_HWC).resize(side, Image.Resampling.BICUBIC).save(path)
    return path


def invert(networks: Trio, folder: Path, pictures: list[Path], *more: str) -> int:
    """Run `sound2scene invert`, quickly."""
    named = networks.options("generator", "image_encoder")
    return cli.main(["invert", *map(str, pictures), "-o", str(folder), *named, *QUICK, *more])


def edit(networks: Trio, folder: Path, pictures: list[Path], *more: str) -> int:
    """Run `sound2scene edit`, quickly."""
    named = networks.options(*Trio._fields)
    return cli.main(["edit", *map(str, pictures), "-o", str(folder), *named, *QUICK, *more])
