"""Draw pictures of sound files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sound2scene import defaults
from sound2scene.commands.parser import Admit, Command, Option, Output, Seed

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from sound2scene.figures.drawn import DrawnSound
    from sound2scene.methods.sound2scene import SoundToScene
    from sound2scene.types import Rejected

GRID = "grid"
GRID_ROWS = 40
GRID_DRAWS = 32
MOST_DRAWS = 1024  # of 128 px, side by side, which viewers of PNG still open
NAME_BYTES = 200  # of 255 that file systems take, with room for a number


def generate(
    files: Annotated[list[Path], Option(metavar="FILE")],
    *,
    folder: Output,
    draws: Annotated[int, Option("-n", between=(1, MOST_DRAWS))] = 8,
    seed: Seed = 0,
    truncation: Annotated[float, Option(between=(0, 1))] = 1.0,
    audio_encoder: Path = Path(defaults.AUDIO_ENCODER),
    generator: Path = Path(defaults.GENERATOR),
    device: str | None = None,
    admit: Admit = None,
) -> int:
    """Draw pictures of sound files; status 1 if a file could not be read.

    Args:
        files: Any sound file, or a video with sound.
        folder: Folder of the pictures: one file per sound, and a grid of all.
        draws: Pictures per sound.
        seed: Seed of the noise.
        truncation: How much of the noise is kept; 1 truncates nothing, 0 leaves its mean.
        audio_encoder: Artifact of the audio encoder.
        generator: Artifact of a generator for the same image encoder.
        device: Device, as torch names it; by default a GPU where there is one.
        admit: Packages of your own whose classes cards may name; loading one runs its code.
    """
    from sound2scene import artifacts
    from sound2scene.methods.sound2scene import SoundToScene

    artifacts.admit(*(admit or ()))
    scene = SoundToScene(str(audio_encoder), str(generator), device)
    drawn = draw_files(scene, files, draws=draws, seed=seed, truncation=truncation)
    written, rejected = write_pictures(drawn, folder)
    for clip in rejected:
        print(f"sound2scene: {clip.reason}", file=sys.stderr)
    print(f"{folder}: {written} sounds drawn, {draws} pictures each; {len(rejected)} could not be read")
    return 1 if rejected else 0


def draw_files(
    scene: SoundToScene, files: Sequence[Path], **settings: Any
) -> Iterator[DrawnSound | Rejected]:
    """Read and draw files in batches, in their order; one that cannot be read comes back with the reason.

    Args:
        scene: The networks.
        files: Any sound files.
        settings: Settings of `SoundToScene.draw`.
    """
    import torch
    from tqdm import tqdm

    from sound2scene.figures.drawn import DrawnSound
    from sound2scene.methods.sound2scene import SOUNDS_AT_ONCE
    from sound2scene.types import Rejected

    with tqdm(total=len(files), desc="sounds", unit="file", disable=len(files) <= SOUNDS_AT_ONCE) as progress:
        for start in range(0, len(files), SOUNDS_AT_ONCE):
            part = files[start : start + SOUNDS_AT_ONCE]
            read = [_read(path) for path in part]
            heard = [found for found in read if not isinstance(found, Rejected)]
            pictures = iter(scene.draw(scene.encode(torch.stack(heard)), **settings) if heard else ())
            for path, found in zip(part, read, strict=True):
                yield found if isinstance(found, Rejected) else DrawnSound(path.stem, found, next(pictures))
            progress.update(len(part))


def write_pictures(drawn: Iterable[DrawnSound | Rejected], folder: Path) -> tuple[int, list[Rejected]]:
    """Write a PNG per sound, its pictures side by side, and `grid.png` of the first 40 sounds and 32 draws.

    Args:
        drawn: What `draw_files` gives.
        folder: Where to; files of the same names are replaced, sounds of one name are numbered, and
            names longer than 200 bytes are cut.

    Returns:
        How many sounds were written, and the files that could not be read.

    Raises:
        InputError: If the folder cannot be written.
    """
    from PIL import Image

    from sound2scene.figures.drawn import grid_of_sounds
    from sound2scene.figures.panels import save as save_figure
    from sound2scene.types import Rejected

    shown: list[DrawnSound] = []
    rejected: list[Rejected] = []
    taken = {GRID}
    for found in drawn:
        if isinstance(found, Rejected):
            rejected.append(found)
            continue
        stem, number = _short(found.name), 2
        name = stem
        while name in taken:
            name, number = f"{stem}-{number}", number + 1
        taken.add(name)
        strip_HWC = found.pixels_JCHW.permute(2, 0, 3, 1).flatten(1, 2)
        _write(folder / f"{name}.png", partial(_save_picture, Image.fromarray(strip_HWC.numpy())))
        if len(shown) < GRID_ROWS:
            shown.append(found._replace(pixels_JCHW=found.pixels_JCHW[:GRID_DRAWS]))
    if shown:
        _write(folder / f"{GRID}.png", partial(save_figure, grid_of_sounds(shown)))
    return len(taken) - 1, rejected


def _write(path: Path, save: Callable[[Path], None]) -> None:
    from sound2scene.types import InputError

    try:
        save(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error}); choose another folder") from None


def _save_picture(picture: Image.Image, path: Path) -> None:
    from sound2scene import files

    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as partial_path:
        picture.save(partial_path, format="png")


def _short(name: str) -> str:
    """A name that leaves room for a number and an ending, cut between two letters."""
    while len(os.fsencode(name)) > NAME_BYTES:
        name = name[:-1]
    return name


def _read(path: Path) -> Tensor | Rejected:
    import torch

    from sound2scene import audio
    from sound2scene.types import InputError, Rejected

    try:
        return torch.from_numpy(audio.load(path))
    except InputError as error:
        return Rejected(str(path), str(error))


COMMAND: Command = generate
