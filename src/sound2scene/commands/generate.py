"""`sound2scene generate`: pictures of any sound files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from sound2scene import audio
from sound2scene.figures.panels import show_pixels, show_waveform
from sound2scene.methods.sound2scene import SOUNDS_AT_ONCE, SoundToScene
from sound2scene.types import InputError, Rejected

GRID_ROWS = 40


class Drawn(NamedTuple):
    """One sound and its pictures.

    Attributes:
        path: Its file.
        waveform_T: As the encoder heard it.
        pixels_JCHW: uint8.
    """

    path: Path
    waveform_T: Tensor
    pixels_JCHW: Tensor


def draw_files(
    scene: SoundToScene, files: Sequence[str | os.PathLike[str]], **settings: Any
) -> Iterator[Drawn | Rejected]:
    """Read and draw files in batches, in their order; one that cannot be read comes back with the reason.

    Args:
        scene: The networks.
        files: Any sound files.
        settings: Of `SoundToScene.draw`.
    """
    with tqdm(total=len(files), desc="sounds", unit="file", disable=len(files) <= SOUNDS_AT_ONCE) as progress:
        for start in range(0, len(files), SOUNDS_AT_ONCE):
            part = [Path(file) for file in files[start : start + SOUNDS_AT_ONCE]]
            read = [_read(path) for path in part]
            heard = [waveform_T for waveform_T in read if isinstance(waveform_T, Tensor)]
            pictures = iter(
                [*scene.draw(scene.encode(torch.stack(heard)), **settings)] if heard else list[Tensor]()
            )
            for path, found in zip(part, read, strict=True):
                yield found if isinstance(found, Rejected) else Drawn(path, found, next(pictures))
            progress.update(len(part))


def _read(path: Path) -> Tensor | Rejected:
    try:
        return torch.from_numpy(audio.load(path))
    except InputError as error:
        return Rejected(str(path), str(error))


def write_pictures(
    drawn: Iterator[Drawn | Rejected], folder: str | os.PathLike[str]
) -> tuple[int, list[Rejected]]:
    """Write a PNG per sound, its pictures side by side, and `grid.png` of the first 40 sounds.

    Args:
        drawn: What `draw_files` gives.
        folder: Where to; files of the same names are replaced, sounds of one name are numbered.

    Returns:
        How many sounds were written, and the files that could not be read.

    Raises:
        InputError: If the folder cannot be written.
    """
    folder = Path(folder)
    shown: list[Drawn] = []
    rejected: list[Rejected] = []
    taken = {"grid"}
    try:
        for one in drawn:
            if isinstance(one, Rejected):
                rejected.append(one)
                continue
            folder.mkdir(parents=True, exist_ok=True)
            number, name = 2, one.path.stem
            while name in taken:
                name, number = f"{one.path.stem}-{number}", number + 1
            taken.add(name)
            strip_HWC = torch.cat(list(one.pixels_JCHW), dim=2).permute(1, 2, 0).numpy()
            _save(folder / f"{name}.png", Image.fromarray(strip_HWC).save)
            if len(shown) < GRID_ROWS:
                shown.append(one)
        if shown:
            _save(folder / "grid.png", partial(_grid(shown).savefig, dpi=80))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error}); choose another folder") from None
    return len(taken) - 1, rejected


def _save(path: Path, write: Callable[..., None]) -> None:
    temporary = path.with_suffix(".partial")
    try:
        write(temporary, format="png")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _grid(shown: list[Drawn]) -> Figure:
    draws = len(shown[0].pixels_JCHW)
    figure = Figure(figsize=(1.6 * (draws + 1), 1.75 * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), draws + 1, squeeze=False)
    for row, one in zip(grid, shown, strict=True):
        show_waveform(row[0], one.waveform_T)
        row[0].set_ylabel(one.path.stem[:24], fontsize=9)
        for axes, pixels_CHW in zip(row[1:], one.pixels_JCHW, strict=True):
            show_pixels(axes, pixels_CHW)
    return figure
