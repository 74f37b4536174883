"""What the page does with what visitors ask for: methods and operations of control, in one order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sound2scene import latent, ranges
from sound2scene.control.editing import direction, edited
from sound2scene.control.inversion import Inverter
from sound2scene.control.mixing import crossfade, mix
from sound2scene.control.picture_encoder import PictureEncoder
from sound2scene.control.search import Effort
from sound2scene.control.volume import at_gain
from sound2scene.demo.limits import read_image, read_sound
from sound2scene.methods.sound2scene import SoundToScene
from sound2scene.types import InputError

MOST_DRAWS = 16
EFFORT = Effort(steps=60, starts=1, candidates=32)  # what a visitor has the patience for
KEPT = 16  # inversions; a moved slider asks for the same one again
GAINS_DB = ranges.Range(between=(-60, 60))
STRENGTHS = ranges.Range(between=(-4, 4))


class Artifacts(NamedTuple):
    """Folders of the networks, which belong together."""

    audio_encoder: str
    generator: str
    image_encoder: str


class Asked(NamedTuple):
    """Pictures that a visitor wants.

    Attributes:
        sound: File of the sound.
        gain_db: Gain of it in dB.
        other: File of a second sound.
        share: The a in a * sound + (1 - a) * other.
        picture: File of a picture.
        blend: Part of the way from what is heard to that picture, 0 to 1.
        truncation: Truncation of the noise.
        seed: Seed of the noise.
        draws: How many.
    """

    sound: str | None
    gain_db: float = 0.0
    other: str | None = None
    share: float = 0.5
    picture: str | None = None
    blend: float = 0.0
    truncation: float = 1.0
    seed: int = 0
    draws: int = 4


class Edit(NamedTuple):
    """An edit of a picture by the volume of a sound.

    Attributes:
        picture: File of the picture.
        sound: File of the sound.
        from_db: Gain of the sound to go away from.
        to_db: Gain of it to go to.
        strength: How far to go; 1 is as far as the two lie apart.
    """

    picture: str | None
    sound: str | None
    from_db: float = 0.0
    to_db: float = 12.0
    strength: float = 1.0


class Shown(NamedTuple):
    """What comes of it.

    Attributes:
        pictures: The pictures.
        z_D: The latent that they were drawn from.
        noise_JZ: The noise of each.
        remark: What a visitor should know of it; empty where nothing is remarkable.
    """

    pictures: list[Image.Image]
    z_D: Tensor
    noise_JZ: Tensor
    remark: str = ""


class Studio:
    """Draws what visitors ask for; it keeps nothing of them but the latents of a few inverted pictures.

    Args:
        folders: Artifacts of the networks.
        device: Device of torch; by default a GPU where there is one.

    Raises:
        InputError: If an artifact or the device is missing, or they do not belong together.
    """

    def __init__(self, folders: Artifacts, device: str | None = None) -> None:
        self.scene = SoundToScene(folders.audio_encoder, folders.generator, device)
        drawing = self.scene.drawing
        self._seeing = PictureEncoder(
            folders.image_encoder, drawing.image_encoder, drawing.folder, self.scene.device
        )
        self._inverter = Inverter(drawing, folders.image_encoder, device)
        self._inversions: OrderedDict[str, tuple[Tensor, Tensor]] = OrderedDict()

    def draw(self, asked: Asked) -> Shown:
        """Pictures of a sound at a gain, mixed with another one, on the way to a picture.

        Raises:
            InputError: If there is no sound, a file cannot be read, or a setting is out of its range.
        """
        ranges.check("draw", ranges.Range(between=(1, MOST_DRAWS)), pictures=asked.draws)
        ranges.check("draw", ranges.SEED, seed=asked.seed)
        ranges.check("draw", ranges.PART, blend=asked.blend, truncation=asked.truncation)
        ranges.check("draw", GAINS_DB, volume=asked.gain_db)
        waveform_T, clipped = self._heard(asked)
        z_heard_D = self.scene.encode(torch.from_numpy(waveform_T)[None])[0]
        z_D = z_heard_D
        if asked.picture is not None and asked.blend:
            z_seen_D = self._seeing.encode(read_image(asked.picture), Path(asked.picture).name)
            z_D = latent.between(z_heard_D, z_seen_D, asked.blend)
        drawing = self.scene.drawing
        rows = range(asked.draws)
        noise_JZ = latent.noise_rows(drawing.network, [asked.seed] * len(rows), rows, asked.truncation)
        pixels_JCHW = self.scene.draw(z_D[None], asked.draws, asked.seed, asked.truncation)[0]
        return Shown(_pictures(pixels_JCHW), z_D.cpu(), noise_JZ, self._remark(z_heard_D, clipped))

    def edit(self, asked: Edit, told: Callable[[int], object] | None = None) -> Shown:
        """A picture as the generator draws it, and the same one moved along what is heard.

        Args:
            asked: What is wanted.
            told: Is told how many steps of the inversion were done since it was last told.

        Raises:
            InputError: If picture or sound is missing or cannot be read, or no difference is heard.
        """
        if asked.picture is None or asked.sound is None:
            raise InputError("edit: needs a picture and a sound; give both")
        ranges.check("edit", GAINS_DB, from_db=asked.from_db, to_db=asked.to_db)
        ranges.check("edit", STRENGTHS, strength=asked.strength)
        waveform_T = read_sound(asked.sound)
        ends = [at_gain(waveform_T, gain_db).waveform_T for gain_db in (asked.from_db, asked.to_db)]
        z_from_D, z_to_D = self.scene.encode(torch.stack([torch.from_numpy(one) for one in ends])).cpu()
        way_D = direction(z_to_D, z_from_D)
        z_D, noise_Z = self._inverted(asked.picture, told)
        moved_SD = edited(z_D, way_D, [0.0, asked.strength])
        noise_SZ = noise_Z.expand(len(moved_SD), -1)
        return Shown(_pictures(self._inverter.draw(moved_SD, noise_SZ)), moved_SD[-1], noise_SZ[:1])

    def _heard(self, asked: Asked) -> tuple[NDArray[np.float32], float]:
        """The sound that is drawn, and the share of its samples that were clipped."""
        if asked.sound is None:
            raise InputError("draw: no sound yet; drop a file, record one, or choose an example")
        heard = at_gain(read_sound(asked.sound), asked.gain_db)
        if asked.other is None:
            return heard
        other_T = read_sound(asked.other)
        mixed = mix([heard.waveform_T, other_T], crossfade(asked.share, 2))
        return mixed.waveform_T, max(heard.clipped, mixed.clipped)

    def _remark(self, z_D: Tensor, clipped: float) -> str:
        words = [f"{100 * clipped:.1f} % of the samples are clipped"] if clipped >= 0.0005 else []
        known = self.scene.familiar
        if known is not None and (cosine := float(known.nearest(z_D[None])[0])) < known.cosine:
            words.append(
                "the sound lies far from those that the audio encoder was validated on (cosine to the "
                f"nearest {cosine:.3f}, 95 % of them reach {known.cosine:.3f}); do not trust its pictures"
            )
        return "; ".join(words)

    def _inverted(self, path: str, told: Callable[[int], object] | None) -> tuple[Tensor, Tensor]:
        """Feature and noise of a picture."""
        name = Path(path).name
        pixels_CHW = self._inverter.pixels(read_image(path))
        key = sha256(pixels_CHW.numpy().tobytes()).hexdigest()
        if key not in self._inversions:
            if not self._inverter.sees(pixels_CHW):
                raise InputError(f"{name}: the image encoder sees nothing in it; give another picture")
            found = self._inverter.invert(pixels_CHW[None], EFFORT, told=told)
            self._inversions[key] = found.z_BD[0], found.noise_BZ[0]
            if len(self._inversions) > KEPT:
                self._inversions.popitem(last=False)
        self._inversions.move_to_end(key)
        return self._inversions[key]


def _pictures(pixels_JCHW: Tensor) -> list[Image.Image]:
    return [Image.fromarray(pixels_CHW.permute(1, 2, 0).numpy()) for pixels_CHW in pixels_JCHW]
