"""Edit pictures by the volume of a sound, or from one sound towards another."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from sound2scene import defaults
from sound2scene.commands.control_pictures import Search, inversions_of
from sound2scene.commands.control_sounds import Animate
from sound2scene.commands.model_choice import chosen, with_networks
from sound2scene.commands.number_list import numbers_of
from sound2scene.commands.parser import Command, Option, Output
from sound2scene.ranges import Range

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from sound2scene.commands.control_files import ControlFiles, Row, Step
    from sound2scene.commands.control_pictures import Given
    from sound2scene.commands.control_record import Made, Setting, SourceFile
    from sound2scene.control.found import Found
    from sound2scene.control.inversion import Inverter
    from sound2scene.methods.sound2scene import SoundToScene
    from sound2scene.types import Rejected

USUAL_DB = "0,12"
STRENGTHS = Range(between=(-1000, 1000))


class Order(NamedTuple):
    """What is asked for.

    Attributes:
        pictures: Picture files.
        folder: Where to.
        sounds: File of the sound, and of the one to go away from.
        gains_db: Gains of the sound to go from and to; empty where there are two sounds.
        strengths: How far to go.
        latent: Inversions from before.
        search: How to look for others.
        audio_encoder: Artifact of the audio encoder.
        animate: Kind of the animation.
    """

    pictures: list[Path]
    folder: Path
    sounds: tuple[Path, Path | None]
    gains_db: list[float]
    strengths: list[float]
    latent: Path | None
    search: Search
    audio_encoder: Path
    animate: Animate


class Way(NamedTuple):
    """Two sounds, and the way from what is heard in the first to what is heard in the second.

    Attributes:
        way_D: The way.
        sources: Files of the sounds.
        sounds: The two sounds.
        words: What the figure calls it.
    """

    way_D: Tensor
    sources: list[SourceFile]
    sounds: tuple[NDArray[np.float32], NDArray[np.float32]]
    words: str


def edit(
    pictures: Annotated[list[Path], Option(metavar="PICTURE")],
    *,
    folder: Output,
    sound: Annotated[Path, Option(metavar="FILE")],
    against: Annotated[Path | None, Option(metavar="FILE")] = None,
    db: Annotated[str | None, Option(metavar="GAINS")] = None,
    strength: Annotated[str, Option(metavar="STRENGTHS")] = "-2:2:1",
    latent: Annotated[Path | None, Option(metavar="FILE")] = None,
    animate: Animate = None,
    audio_encoder: Path = Path(defaults.AUDIO_ENCODER),
    search: Search,
) -> int:
    """Edit pictures by the volume of a sound, or from another towards it; status 1 if one could not be read.

    Args:
        pictures: Picture files, of which the centred square counts.
        folder: Folder of the figure, the pictures, the two sounds (FLAC) and control.json.
        sound: Sound file, or video with sound.
        against: Another sound to go away from, in place of two gains.
        db: Two gains of the sound in dB, from the first of which the edit goes to the second (default: 0,12).
        strength: How far to go, as first:last:step or 0,1,2; 1 is as far as the two sounds lie apart.
        latent: The inverted.safetensors that `invert` wrote of these pictures; else they are inverted first.
        animate: Write an animation of each row, too.
        audio_encoder: Artifact of an audio encoder for the same image encoder.
        search: How to look for the inversions.
    """
    from sound2scene import artifacts

    strengths, gains_db = numbers_of(strength, "--strength", STRENGTHS), _gains(db, against)
    artifacts.admit(*(search.admit or ()))
    sounds = sound, against
    heard = chosen(search.model, audio_encoder=audio_encoder)["audio_encoder"]
    search = with_networks(search)
    return _edited(Order(pictures, folder, sounds, gains_db, strengths, latent, search, heard, animate))


def _gains(db: str | None, against: Path | None) -> list[float]:
    """The two gains; none where there are two sounds."""
    from sound2scene.control.volume import GAINS_DB
    from sound2scene.types import InputError

    if against is not None:
        if db is not None:
            raise InputError(
                f"--db {db}: with --against the sounds are taken as they are; leave one of them out"
            )
        return []
    gains_db = numbers_of(USUAL_DB if db is None else db, "--db", GAINS_DB)
    if len(gains_db) != 2 or gains_db[0] == gains_db[1]:
        raise InputError(f"--db {db}: an edit goes from one gain to another; give two, such as {USUAL_DB}")
    return gains_db


def _edited(order: Order) -> int:
    """Carry it out."""
    from sound2scene import audio, files
    from sound2scene.commands.control_files import Appearance, ControlFiles
    from sound2scene.commands.control_pictures import read_pictures
    from sound2scene.control.inversion import Inverter
    from sound2scene.figures.editing import page_of_edits
    from sound2scene.methods.sound2scene import SoundToScene

    search = order.search
    scene = SoundToScene(order.audio_encoder, search.generator, search.device)
    way = _way(scene, order)
    inverter = Inverter(scene.drawing, str(search.image_encoder), search.device)
    given, rejected = read_pictures(inverter, order.pictures)
    inverted = _inverted(inverter, given, rejected, order)
    about = f"{way.words}; noise of the inversion; cos: of features, to the picture"
    title = "Editing: pictures moved along what is heard"
    look = Appearance(title, "strength", order.animate, about, page_of_edits)
    writer = ControlFiles(order.folder, _made(order, scene, inverter), look)
    rows = (_row(inverter, one, found, way, order.strengths) for one, found in inverted)
    writer.write(chain(rejected, rows))
    if writer.rows:
        for name, waveform_T in zip(("from", "to"), way.sounds, strict=True):
            files.write(order.folder / f"{name}.flac", audio.encode_flac(waveform_T))
    _tell(writer, rejected)
    return 1 if rejected else 0


def _way(scene: SoundToScene, order: Order) -> Way:
    """The way from one sound to the other."""
    import torch

    from sound2scene.commands.control_sounds import read_sound
    from sound2scene.control.editing import direction
    from sound2scene.control.volume import at_gain

    file, against = order.sounds
    waveform_T, source = read_sound(file)
    if against is None:
        quiet_db, loud_db = order.gains_db
        first_T, last_T = at_gain(waveform_T, quiet_db).waveform_T, at_gain(waveform_T, loud_db).waveform_T
        sources, words = [source], f"strength 1: {file.stem} from {quiet_db:g} to {loud_db:g} dB"
    else:
        other_T, other = read_sound(against)
        first_T, last_T, sources = other_T, waveform_T, [source, other]
        words = f"strength 1: from {against.stem} to {file.stem}"
    z_first_D, z_last_D = scene.encode(torch.stack([torch.from_numpy(one) for one in (first_T, last_T)]))
    return Way(direction(z_last_D, z_first_D).cpu(), sources, (first_T, last_T), words)


def _inverted(
    inverter: Inverter, given: Sequence[Given], rejected: list[Rejected], order: Order
) -> list[tuple[Given, Found]]:
    """The inversion of each picture; one that a file of inversions lacks is rejected."""
    from sound2scene.control.found import read_inversions
    from sound2scene.types import InputError, Rejected

    if order.latent is None:
        found = inversions_of(inverter, given, order.search.effort, order.folder).found if given else {}
        return [(one, found[one.sha256]) for one in given]
    before = read_inversions(order.latent)
    before.check(inverter.fingerprints, order.latent)
    inverted = []
    for one in given:
        try:
            inverted.append((one, before.of(one.sha256, one.path, order.latent)))
        except InputError as error:
            rejected.append(Rejected(str(one.path), str(error)))
    return inverted


def _row(inverter: Inverter, given: Given, found: Found, way: Way, strengths: Sequence[float]) -> Row:
    from sound2scene.commands.control_files import Row

    steps = _steps(inverter, given, found, way, strengths)
    return Row(given.path.stem, [given.source, *way.sources], steps, len(strengths))


def _steps(
    inverter: Inverter, given: Given, found: Found, way: Way, strengths: Sequence[float]
) -> Iterator[Step]:
    """What is drawn at each strength."""
    from sound2scene.commands.control_files import Step
    from sound2scene.commands.control_pictures import measured
    from sound2scene.control.editing import edited
    from sound2scene.figures.panels import pixels_of

    picture_HWC = pixels_of(given.pixels_CHW)
    for strength, z_D in zip(strengths, edited(found.z_D, way.way_D, strengths), strict=True):
        drawn_1CHW = inverter.draw(z_D[None], found.noise_Z[None])
        (likeness,) = measured(inverter, drawn_1CHW, given.pixels_CHW)
        numbers = {"strength": strength} | likeness._asdict() | {"z_cosine": float(z_D @ found.z_D)}
        remark = f"cos {likeness.feature_cosine:.2f}"
        yield Step(
            f"{strength:+g}" if strength else "0",
            z_D,
            drawn_1CHW,
            None,
            picture_HWC,
            found.noise_Z[None],
            numbers,
            remark,
        )


def _made(order: Order, scene: SoundToScene, inverter: Inverter) -> Made:
    from sound2scene.commands.control_record import Made
    from sound2scene.commands.picture_record import Network

    heard = Network(folder=str(order.audio_encoder), fingerprint=scene.fingerprints["audio_encoder"])
    networks = order.search.networks(inverter) | {"audio_encoder": heard}
    settings: dict[str, Setting] = {
        "strengths": [*order.strengths],
        "gains_db": [*order.gains_db],
        "latent": None if order.latent is None else str(order.latent),
        "steps": order.search.steps,
        "starts": order.search.starts,
    }
    return Made("edit", order.search.seed, 1, 1.0, settings, str(inverter.device), networks)


def _tell(writer: ControlFiles, rejected: Sequence[Rejected]) -> None:
    for row in writer.rows:
        cosines = [step["numbers"]["feature_cosine"] for step in row["steps"]]
        least = f"feature cosine to the picture at least {min(cosines):.3f}"
        print(f"{writer.folder / row['name']}: {len(cosines)} steps, {least}")
    for one in rejected:
        print(f"sound2scene: {one.reason}", file=sys.stderr)
    if writer.pages:
        print(f"{writer.folder / writer.pages[0]}: the figure; control.json beside it tells how it was made")


COMMAND: Command = edit
