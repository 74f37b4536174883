"""The bench on which control is measured: the networks, how much is measured, and what a figure says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sound2scene import artifacts, images, ranges
from sound2scene.control.inversion import Inverter
from sound2scene.control.search import Effort
from sound2scene.data.toy.truth import KINDS
from sound2scene.latent import seed_of_clip
from sound2scene.methods.sound2scene import SoundToScene
from sound2scene.metrics.intervals import Estimate
from sound2scene.models.reader import Reader
from sound2scene.types import InputError, Scene

PICTURES_AT_ONCE = 64

FINDS = "sound finds its scene"
LOUDER = "louder is bigger"
BOTH = "two sounds, both there"
SMOOTH = "interpolation is smooth"
BLEND = "sound and picture blend"
EDIT = "editing keeps the picture and moves the right way"


@dataclass(frozen=True)
class Extent:
    """How much is measured.

    Attributes:
        gains_db: Gains at which sounds are drawn.
        shares: Each a of the rule x = a * first + (1 - a) * second for mixtures, from 1 to 0.
        steps: Steps of a way from one latent to another, both included; odd, so that one is halfway.
        draws: Draws of one latent, for how much they differ.
        inverted: Pictures that are inverted and edited at most.
        edit_db: The two gains between which an edit goes.
        effort: How hard is looked for the inversion of a picture.
        seed: Seed of noise, partners and resamples.

    Raises:
        InputError: If a number is out of its range.
    """

    gains_db: tuple[float, ...] = (-12, -8, -4, 0, 4, 8, 12)
    shares: tuple[float, ...] = (1, 0.75, 0.5, 0.25, 0)
    steps: int = 9
    draws: int = 4
    inverted: int = 64
    edit_db: tuple[float, float] = (-6, 6)
    effort: Effort = field(default_factory=lambda: Effort(steps=60, starts=1))
    seed: int = 0

    def __post_init__(self) -> None:
        ranges.check("control-score", ranges.Range(between=(3, 1001)), steps=self.steps)
        ranges.check("control-score", ranges.Range(between=(2, 1024)), draws=self.draws)
        ranges.check("control-score", ranges.BATCH, inverted=self.inverted)
        ranges.check("control-score", ranges.SEED, seed=self.seed)
        if self.steps % 2 == 0:
            raise InputError(
                f"control-score.steps is {self.steps}; set it to an odd number, with one halfway"
            )


class Figure(NamedTuple):
    """One figure of control.

    Attributes:
        name: Name in records.
        claim: The paper's claim that it speaks for or against; empty where it stands beside one.
        about: What it is taken of, and how.
        estimate: The figure, with interval and number of items.
        without: What chance gives, or no effect; None where neither means anything.
        meaning: What that is.
    """

    name: str
    claim: str
    about: str
    estimate: Estimate
    without: float | None = None
    meaning: str = ""


class Course(NamedTuple):
    """Figures over what is changed step by step.

    Attributes:
        name: Name in records.
        over: What is changed.
        at: Where.
        lines: Figure at each of these, by name.
    """

    name: str
    over: str
    at: Sequence[float]
    lines: Mapping[str, Sequence[float]]


class Part(NamedTuple):
    """What one kind of control came to."""

    figures: Sequence[Figure]
    courses: Sequence[Course] = ()


class Bench:
    """The networks by which control is measured.

    Args:
        scene: Audio encoder and generator.
        image_encoder: Folder of the image encoder to which they belong.
        reader: Folder of a reader of toy pictures.
        seed: Seed of the noise; each clip has its own, and draw j of a clip has the same noise in every step.

    Attributes:
        side: Height and width of the pictures.
        fingerprints: Fingerprints of the four artifacts.

    Raises:
        InputError: If an artifact is missing, does not belong to the others, or the reader knows other kinds.
    """

    def __init__(self, scene: SoundToScene, image_encoder: str, reader: str, seed: int = 0) -> None:
        network = artifacts.load(reader, kind="reader").requires_grad_(False)
        if not isinstance(network, Reader) or network.classes != len(KINDS):
            raise InputError(
                f"{reader}: does not read the {len(KINDS)} kinds of the toy world; give a reader that has "
                "learned from its pictures"
            )
        self._scene, self._reader, self._seed = scene, network.to(scene.device), seed
        self._inverter = Inverter(scene.drawing, image_encoder, str(scene.device))
        self.side = scene.resolution
        self.fingerprints = {
            **scene.fingerprints,
            "image_encoder": self._inverter.fingerprints["image_encoder"],
            "reader": artifacts.read_card(reader).fingerprint,
        }

    def hear(self, sounds: Sequence[NDArray[np.float32]]) -> Tensor:
        """z_audio of sounds, (S, D), of unit length."""
        return self._scene.encode(torch.from_numpy(np.stack(sounds)))

    def draw(self, z_SD: Tensor, key: str, draws: int = 1) -> Tensor:
        """Pictures of latents with the noise of a clip, uint8 (S * draws, 3, H, W), latent by latent."""
        return self._scene.draw(z_SD, draws, seed_of_clip(self._seed, key)).flatten(0, 1)

    def read(self, pixels_BCHW: Tensor) -> Scene:
        """What the reader finds in pictures."""
        parts = [self._reader.read(part_BCHW) for part_BCHW in self._parts(pixels_BCHW)]
        return Scene(*(torch.cat(of).cpu() for of in zip(*parts, strict=True)))

    @torch.no_grad()
    def see(self, pixels_BCHW: Tensor) -> Tensor:
        """What the image encoder sees in pictures, (B, D), of any length."""
        eye = self._inverter.eye
        return torch.cat([eye(images.to_model(part_BCHW)) for part_BCHW in self._parts(pixels_BCHW)])

    def invert(self, pixels_BCHW: Tensor, effort: Effort) -> tuple[Tensor, Tensor]:
        """Feature (B, D) and noise (B, Z) of pictures."""
        found = self._inverter.invert(pixels_BCHW, effort)
        return found.z_BD, found.noise_BZ

    def draw_again(self, z_SD: Tensor, noise_Z: Tensor) -> Tensor:
        """Pictures of latents with one noise, uint8 (S, 3, H, W)."""
        return self._inverter.draw(z_SD, noise_Z.expand(len(z_SD), -1))

    def _parts(self, pixels_BCHW: Tensor) -> Sequence[Tensor]:
        return torch.split(pixels_BCHW.to(self._scene.device), PICTURES_AT_ONCE)
