"""What the commands that change sounds share: options, reading, drawing step by step, and what is told."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from sound2scene.commands.model_choice import Model
from sound2scene.commands.parser import Admit, Option, Output, Seed
from sound2scene.commands.picture_order import NETWORKS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sound2scene.commands.control_files import Appearance, ControlFiles, Row, Step
    from sound2scene.commands.control_record import Made, Setting, SourceFile
    from sound2scene.control.waveform import Edited
    from sound2scene.methods.sound2scene import SoundToScene
    from sound2scene.types import Rejected

Animate = Literal["gif", "mp4"] | None
TOLD = 0.0005  # share of clipped samples that a figure speaks of; control.json has them all


class Drawing(NamedTuple):
    """How pictures are drawn, and where they go: what every command that changes sounds is told.

    Attributes:
        folder: Folder of the figure, the pictures, the sounds (FLAC) and control.json.
        animate: Write an animation of each row, too.
        draws: Pictures of each step.
        seed: Seed of the noise, which is the same in every step.
        truncation: How much of the noise is kept; 1 truncates nothing, 0 leaves its mean.
        model: Model whose networks to take, where no option names one; see `sound2scene models`.
        audio_encoder: Artifact of the audio encoder.
        generator: Artifact of a generator for the same image encoder.
        device: Device, as torch names it; by default a GPU where there is one.
        admit: Packages of your own whose classes cards may name; loading one runs its code.
    """

    folder: Output
    animate: Animate = None
    draws: Annotated[int, Option("-n", between=(1, 1024))] = 4
    seed: Seed = 0
    truncation: Annotated[float, Option(between=(0, 1))] = 1.0
    model: Model = None
    audio_encoder: Path = NETWORKS[0]
    generator: Path = NETWORKS[1]
    device: str | None = None
    admit: Admit = None

    def scene(self) -> SoundToScene:
        """The networks."""
        from sound2scene import artifacts
        from sound2scene.methods.sound2scene import SoundToScene

        artifacts.admit(*(self.admit or ()))
        return SoundToScene(self.audio_encoder, self.generator, self.device)


class Planned(NamedTuple):
    """A step that is to be drawn: what to call it, its sound, and what made it."""

    label: str
    edited: Edited
    numbers: Mapping[str, float]


def read_sound(path: Path) -> tuple[NDArray[np.float32], SourceFile]:
    """A sound as `audio.load` reads it, and what the record says of its file.

    Raises:
        InputError: If it cannot be read.
    """
    from sound2scene import audio
    from sound2scene.commands.picture_record import checksum

    return audio.load(path), {"file": str(path), "sha256": checksum(path)}


def draw_steps(scene: SoundToScene, planned: Iterable[Planned], how: Drawing) -> Iterator[Step]:
    """Draw steps, a few sounds at a time, as `generate` draws them.

    Args:
        scene: The networks.
        planned: What to draw.
        how: Draws, seed and truncation.
    """
    import torch

    from sound2scene.commands.control_files import Step
    from sound2scene.methods.sound2scene import SOUNDS_AT_ONCE

    waiting = iter(planned)
    while part := list(islice(waiting, SOUNDS_AT_ONCE)):
        heard_BT = torch.stack([torch.from_numpy(one.edited.waveform_T) for one in part])
        z_BD = scene.encode(heard_BT)
        known = scene.familiar
        cosines = [None] * len(part) if known is None else known.nearest(z_BD).tolist()
        for one, waveform_T, z_D, cosine in zip(part, heard_BT, z_BD, cosines, strict=True):
            pixels_JCHW = scene.draw(z_D[None], how.draws, how.seed, how.truncation)[0]
            clipped = one.edited.clipped
            numbers = {**one.numbers, "clipped": clipped}
            numbers |= {} if cosine is None else {"cosine": cosine}
            remark = f"{100 * clipped:.1f} % clipped" if clipped >= TOLD else ""
            yield Step(one.label, z_D, pixels_JCHW, waveform_T, numbers=numbers, remark=remark)


def write_rows(
    rows: Iterable[Row | Rejected],
    scene: SoundToScene,
    how: Drawing,
    asked: tuple[str, Mapping[str, Setting]],
    look: Appearance,
) -> int:
    """Write rows of steps, and say what became of them.

    Args:
        rows: What was drawn, or why it could not be.
        scene: The networks.
        how: How.
        asked: Word of the command, and what else was asked for.
        look: How the figure speaks of it.

    Returns:
        Exit status: 1 if something could not be drawn.
    """
    from sound2scene.commands.control_files import ControlFiles

    writer = ControlFiles(how.folder, made_of(scene, how, *asked), look)
    rejected = writer.write(rows)
    tell(writer, rejected)
    return 1 if rejected else 0


def made_of(scene: SoundToScene, how: Drawing, operation: str, settings: Mapping[str, Setting]) -> Made:
    """What the record says of how pictures were made."""
    from sound2scene.commands.control_record import Made
    from sound2scene.commands.picture_record import Network

    networks = {
        name: Network(folder=str(folder), fingerprint=scene.fingerprints[name])
        for name, folder in (("audio_encoder", how.audio_encoder), ("generator", how.generator))
    }
    return Made(operation, how.seed, how.draws, how.truncation, settings, str(scene.device), networks)


def tell(writer: ControlFiles, rejected: Sequence[Rejected]) -> None:
    """Say what was drawn, what was clipped, and what could not be drawn."""
    for one in rejected:
        print(f"sound2scene: {one.reason}", file=sys.stderr)
    for row in writer.rows:
        clipped = max((step["numbers"].get("clipped", 0.0), step["label"]) for step in row["steps"])
        most = f", up to {100 * clipped[0]:.2g} % of the samples clipped ({clipped[1]})" if clipped[0] else ""
        words = f"{len(row['steps'])} steps, {writer.made.draws} pictures each{most}"
        print(f"{writer.folder / row['name']}: {words}")
    if writer.pages:
        print(f"{writer.folder / writer.pages[0]}: the figure; control.json beside it tells how it was made")
    if rejected:
        print(f"{len(rejected)} could not be read")
