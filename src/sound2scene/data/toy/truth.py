"""What is known of every clip of the toy world, drawn from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from sound2scene.data.toy import pictures, sounds
from sound2scene.records import Record
from sound2scene.seeds import seed_of
from sound2scene.types import CLIP_S

KINDS: tuple[str, ...] = tuple(sounds.VOICES)
# Gains of -12 to 12 dB on a middling clip stay inside; the loudest voices touch full scale.
LOUDNESS_DB = (-34.0, -6.0)
_LOUDNESS_OF_TWO_DB = (-34.0, -15.0)  # each has room in its half of the picture
_DIAMETER = (0.22, 0.62)  # in picture sides, over LOUDNESS_DB
_HEIGHT = (0.69, 0.31)  # centre from the top, in picture sides, over pitch 0 to 1


@dataclass(frozen=True)
class SoundSource:
    """One thing that sounds and is seen.

    Attributes:
        kind: One of ``KINDS``.
        start_s: Second at which it begins to sound.
        end_s: Second at which it falls silent, 2 to 4 s later.
        loudness_db: RMS of the sounding part before clipping, in dB relative to full scale, -34 to -6.
        pitch: Pitch in [0, 1], over 1.5 octaves within the kind.
        x: Centre of the object, in picture sides from the left.
        y: Centre of the object, in picture sides from the top; follows the pitch.
        diameter: Diameter of the circle round the object, in picture sides; follows the loudness.
        box: Tight box (x0, y0, x1, y1) round the object in the middle of the interval, in picture sides.
        seed: Seed of the nuisance in its voice and its look.
    """

    kind: str
    start_s: float
    end_s: float
    loudness_db: float
    pitch: float
    x: float
    y: float
    diameter: float
    box: tuple[float, float, float, float]
    seed: int

    @property
    def sprite(self) -> pictures.Sprite:
        """What is drawn of it."""
        return pictures.Sprite(self.kind, self.x, self.y, self.diameter, self.seed)

    @property
    def middle_s(self) -> float:
        """Second in the middle of the sounding interval."""
        return (self.start_s + self.end_s) / 2


@dataclass(frozen=True)
class Truth:
    """Everything that is known of one clip.

    Attributes:
        key: Name of the clip.
        split: Split that the clip belongs to.
        seed: Seed of the background's picture and of the noise.
        sources: What sounds and is seen: one source, or two of different kinds.
        background: One of ``BACKGROUNDS``.
        noise_floor_db: RMS of the noise under the whole clip, in dB relative to full scale.
    """

    key: str
    split: str
    seed: int
    sources: Annotated[tuple[SoundSource, ...], Meta(min_length=1)]
    background: str
    noise_floor_db: float

    @property
    def label(self) -> str | None:
        """The kind of the one source; None where two sound."""
        return self.sources[0].kind if len(self.sources) == 1 else None

    @property
    def moment_true_s(self) -> float:
        """Middle of the interval in which every source sounds, in seconds."""
        return (max(s.start_s for s in self.sources) + min(s.end_s for s in self.sources)) / 2

    def as_json(self) -> dict[str, Any]:
        """Plain values for JSON; ``label`` and ``moment_true_s`` are added for readers."""
        return asdict(self) | {"label": self.label, "moment_true_s": self.moment_true_s}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], name: str = "truth") -> Truth:
        """The inverse of ``as_json``, exact to the last bit.

        Args:
            values: Decoded JSON.
            name: Name of the clip in an error message.

        Raises:
            InputError: If a value is missing or of another type.
        """
        return TRUTH.convert(values, name)


TRUTH = Record(Truth, "write the toy world again")


def _draw_source(kind: str, rng: np.random.Generator, side: int | None, about_s: float | None) -> SoundSource:
    """One source; of two, side 0 stands in the left half of the picture, and both sound at ``about_s``."""
    # Short intervals are likelier: with a uniform length every second middle frame would show the object.
    length_s = rng.triangular(2.0, 2.0, 4.0)
    start_s = (
        rng.uniform(0, CLIP_S - length_s)
        if about_s is None
        else about_s + rng.uniform(-0.5, 0.5) - length_s / 2
    )
    loudness_db = rng.uniform(*(LOUDNESS_DB if side is None else _LOUDNESS_OF_TWO_DB))
    pitch = rng.uniform()
    diameter = float(np.interp(loudness_db, LOUDNESS_DB, _DIAMETER))
    left, right = (0.0, 1.0) if side is None else (0.5 * side, 0.5 + 0.5 * side)
    x = rng.uniform(left + diameter / 2, right - diameter / 2)
    y, seed = float(np.interp(pitch, (0, 1), _HEIGHT)), int(rng.integers(2**32))
    box = pictures.box(pictures.Sprite(kind, x, y, diameter, seed))
    return SoundSource(kind, start_s, start_s + length_s, loudness_db, pitch, x, y, diameter, box, seed)


def draw_truth(seed: int, split: str, index: int, sources: int = 1) -> Truth:
    """The truth of one clip, a pure function of its arguments.

    Args:
        seed: Seed of the whole world, 0 or more.
        split: Name of the split, which enters the seed, so that splits share no clip.
        index: Number of the clip in its split; kinds follow one another, so that every 8 clips hold each kind
            once.
        sources: Number of sources: 1, or 2 of different kinds, whose sounds overlap by a second or more.
    """
    assert sources in (1, 2), sources
    rng = np.random.default_rng(seed_of("toy", seed, split, index, sources))
    kinds = [KINDS[index % len(KINDS)]]
    about_s: float | None = None
    sides: list[int | None] = [None]
    if sources == 2:
        kinds.append(KINDS[(index + 1 + index // len(KINDS) % (len(KINDS) - 1)) % len(KINDS)])
        about_s, sides = rng.uniform(2.5, CLIP_S - 2.5), [0, 1]
    return Truth(
        key=f"toy-{split}-{'mix-' if sources == 2 else ''}{index:06d}",
        split=split,
        seed=int(rng.integers(2**32)),
        sources=tuple(
            _draw_source(kind, rng, side, about_s) for kind, side in zip(kinds, sides, strict=True)
        ),
        background=str(rng.choice(pictures.BACKGROUNDS)),
        noise_floor_db=rng.uniform(-57, -53),
    )
