"""Draw the way from one sound or picture to another, and over more of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from sound2scene.commands.control_sounds import (
    Drawing,
    made_of,
    read_sound,
    tell,
)
from sound2scene.commands.model_choice import chosen, with_networks
from sound2scene.commands.parser import Command, Option
from sound2scene.defaults import IMAGE_ENCODER

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from sound2scene.commands.control_files import Step
    from sound2scene.commands.control_record import SourceFile
    from sound2scene.control.picture_encoder import PictureEncoder
    from sound2scene.methods.sound2scene import SoundToScene

Course = Literal["linear", "spherical"]


class Station(NamedTuple):
    """A sound or a picture on the way, with its latent at unit length and what is shown of it."""

    name: str
    source: SourceFile
    z_D: Tensor
    waveform_T: Tensor | None = None
    picture_HWC: NDArray[np.uint8] | None = None


def interpolate(
    files: Annotated[list[Path], Option(metavar="STATION")],
    *,
    how: Drawing,
    steps: Annotated[int, Option(between=(2, 1001))] = 9,
    path: Course = "linear",
    noise: bool = False,
    image_encoder: Path = Path(IMAGE_ENCODER),
) -> int:
    """Draw the way between the latents of sounds and pictures, station by station.

    Args:
        files: Sound or picture files (JPEG, PNG, WebP, BMP), at least two, or one with --noise.
        how: How to draw, and where to.
        steps: Steps from each station to the next, both of them included.
        path: Mean at unit length, or along the great circle.
        noise: Let the noise go from each draw to the next, too; of one station it alone moves.
        image_encoder: Artifact of the image encoder that pictures go through, that of the generator.
    """
    from sound2scene.types import InputError

    if len(files) < 2 and not noise:
        raise InputError(f"interpolate {files[0]}: one station is no way; give another, or --noise")
    encoder = chosen(how.model, image_encoder=image_encoder)["image_encoder"]
    return _draw(files, Way(steps, path, noise), with_networks(how), encoder)


class Way(NamedTuple):
    """Steps from station to station, the course between two, and whether the noise moves, too."""

    steps: int
    course: Course
    noise: bool


def _draw(files: Sequence[Path], way: Way, how: Drawing, image_encoder: Path) -> int:
    from sound2scene.commands.control_files import Appearance, ControlFiles, Row
    from sound2scene.commands.picture_record import Network
    from sound2scene.control.interpolation import positions

    scene = how.scene()
    stations, encoder = _stations(scene, files, image_encoder, str(how.generator))
    settings = {"steps": way.steps, "path": way.course, "noise": way.noise}
    made = made_of(scene, how, "interpolate", settings)
    if encoder is not None:
        network = Network(folder=str(image_encoder), fingerprint=encoder.fingerprint)
        made = made._replace(networks={**made.networks, "image_encoder": network})
    axis = f"share of the way to the next station ({way.course})"
    if way.noise:
        moving = "share of the way from each draw's noise to the next draw's"
        axis = moving if len(stations) == 1 else f"{axis}, noise to the next draw's"
    writer = ControlFiles(how.folder, made, Appearance("Interpolation between latents", axis, how.animate))
    name = " to ".join(station.name for station in stations)
    count = len(positions(len(stations), way.steps))
    row = Row(name, [station.source for station in stations], _steps(scene, stations, way, how), count)
    tell(writer, writer.write([row]))
    return 0


def _stations(
    scene: SoundToScene, paths: Sequence[Path], image_encoder: Path, generator: str
) -> tuple[list[Station], PictureEncoder | None]:
    """The stations, and the image encoder if there is a picture among them."""
    from sound2scene.control.picture_encoder import PictureEncoder
    from sound2scene.folders import PICTURES

    encoder = None
    if any(path.suffix.lower() in PICTURES for path in paths):
        belongs = scene.drawing.image_encoder
        encoder = PictureEncoder(str(image_encoder), belongs, generator, scene.device)
    found = []
    for path in paths:
        if encoder is not None and path.suffix.lower() in PICTURES:
            found.append(_seen(encoder, path))
        else:
            found.append(_heard(scene, path))
    return found, encoder


def _heard(scene: SoundToScene, path: Path) -> Station:
    import torch

    samples_T, source = read_sound(path)
    waveform_T = torch.from_numpy(samples_T)
    return Station(path.stem, source, scene.encode(waveform_T[None])[0], waveform_T)


def _seen(encoder: PictureEncoder, path: Path) -> Station:
    from sound2scene import images
    from sound2scene.commands.picture_record import checksum
    from sound2scene.control.picture_encoder import read_picture
    from sound2scene.figures.panels import reduced

    picture = read_picture(path)
    z_D = encoder.encode(picture, str(path))
    source: SourceFile = {"file": str(path), "sha256": checksum(path)}
    return Station(path.stem, source, z_D, picture_HWC=reduced(images.centre_square(picture)))


def _steps(scene: SoundToScene, stations: Sequence[Station], way: Way, how: Drawing) -> Iterator[Step]:
    from sound2scene import images, latent
    from sound2scene.commands.control_files import Step
    from sound2scene.control.interpolation import along, noise_along, positions

    network = scene.drawing.network
    count = len(positions(len(stations), way.steps))
    draws = range(how.draws + way.noise)
    noise_JZ = latent.noise_rows(network, [how.seed] * len(draws), draws, how.truncation)
    moving = noise_along(noise_JZ, count) if way.noise else (noise_JZ for _ in range(count))
    placed = along([station.z_D for station in stations], way.steps, way.course)
    for number, ((place, z_D), now_JZ) in enumerate(zip(placed, moving, strict=True)):
        pixels_JCHW = images.to_pixel(scene.drawing.draw_from(z_D, now_JZ)).cpu()
        numbers: Mapping[str, float] = {"position": place}
        label = f"{place % 1:.3g}"
        own = now_JZ if way.noise else None
        step = Step(label, z_D, pixels_JCHW, noise_JZ=own, numbers=numbers)
        if len(stations) == 1:
            step = step._replace(label=f"{number / (count - 1):.3g}")
            station = stations[0] if number == 0 else None
        else:
            station = stations[int(place)] if place == int(place) else None
        if station is not None:
            label = step.label if len(stations) == 1 else station.name
            step = step._replace(label=label, waveform_T=station.waveform_T, picture_HWC=station.picture_HWC)
        yield step


COMMAND: Command = interpolate
