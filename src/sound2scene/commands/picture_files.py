"""Pictures of sounds as files: one a picture, one a sound, or pages of many."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from PIL import Image
from torch import Tensor

from sound2scene.commands.picture_order import Layout
from sound2scene.commands.picture_record import Drawn
from sound2scene.figures.drawn import DrawnSound, grid_of_sounds
from sound2scene.figures.panels import save as save_figure
from sound2scene.figures.panels import save_picture
from sound2scene.types import InputError, Rejected

T = TypeVar("T")
GRID = "grid"
GRID_ROWS = 40
GRID_DRAWS = 32
NAME_BYTES = 200  # of 255 that file systems take, with room for a number
_PAGE = re.compile(rf"{GRID}(-[0-9]+)?", re.IGNORECASE)


class Heard(NamedTuple):
    """A sound that was read and drawn.

    Attributes:
        file: Where it lies.
        sha256: Checksum of that file.
        sound: Its name, waveform and pictures.
        cosine: Cosine to the nearest sound that the audio encoder was validated on; None where no one knows.
        far: Whether that is far; None where no one knows.
    """

    file: Path
    sha256: str
    sound: DrawnSound
    cosine: float | None = None
    far: bool | None = None


class PictureFiles:
    """Writes pictures as they come, so that no more than a page of sounds is held.

    Args:
        folder: Where to; it is made with the first picture, and files of the same names are replaced.
        layout: `files` writes a PNG per picture, `strip` one per sound, its pictures side by side, beside
            pages of up to 40 sounds, and `grid` those pages alone.
        about: What the pictures rest on, for the title of a page.

    Attributes:
        sounds: What was written of each sound.
        pages: Names of the pages.
    """

    def __init__(self, folder: Path, layout: Layout, about: str = "") -> None:
        self.folder, self.layout, self.about = folder, layout, about
        self.sounds: list[Drawn] = []
        self.pages: list[str] = []
        self._taken: set[str] = set()
        self._page: list[DrawnSound] = []

    def write(self, drawn: Iterable[Heard | Rejected]) -> list[Rejected]:
        """Write the pictures of sounds.

        Names of sounds are numbered where two are alike, and cut beyond 200 bytes.

        Args:
            drawn: Sounds with their pictures, or why they have none.

        Returns:
            Those that have none.

        Raises:
            InputError: If the folder cannot be written.
        """
        rejected = add_each(drawn, self._add)
        self._turn()
        return rejected

    def _add(self, heard: Heard) -> None:
        name, names = self._names(heard.sound.name, len(heard.sound.pixels_JCHW))
        each = [[pixels_CHW] for pixels_CHW in heard.sound.pixels_JCHW]
        rows = {"files": each, "strip": [list(heard.sound.pixels_JCHW)], "grid": []}[self.layout]
        for file, row in zip(names, rows, strict=True):
            _write(self.folder / file, partial(_save_picture, row))
        written: Drawn = {
            "name": name,
            "file": os.fspath(heard.file),
            "sha256": heard.sha256,
            "pictures": names,
            "page": None if self.layout == "files" else _page_name(len(self.pages)),
            "cosine": heard.cosine,
            "far": heard.far,
        }
        self.sounds.append(written)
        if self.layout != "files":
            shown = heard.sound._replace(name=name, pixels_JCHW=heard.sound.pixels_JCHW[:GRID_DRAWS])
            self._page.append(shown)
        if len(self._page) == GRID_ROWS:
            self._turn()

    def _names(self, stem: str, draws: int) -> tuple[str, list[str]]:
        """A name for a sound that no other has, and the names of its pictures."""
        short = short_name(f"sound-{stem}" if _PAGE.fullmatch(stem) else stem)
        for name in numbered(short):
            width = len(str(draws - 1))
            each = [f"{name}_{draw:0{width}}.png" for draw in range(draws)]
            names = {"files": each, "strip": [f"{name}.png"], "grid": []}[self.layout]
            keys = {one.casefold() for one in (name, *names)}  # some disks know no capitals
            if self._taken.isdisjoint(keys):
                self._taken |= keys
                return name, names
        raise AssertionError("numbers do not end")

    def _turn(self) -> None:
        """Write the page that is full, or the last one."""
        if self._page:
            name = _page_name(len(self.pages))
            _write(self.folder / name, partial(save_figure, grid_of_sounds(self._page, self.about)))
            self.pages.append(name)
            self._page = []


def add_each(found: Iterable[T | Rejected], add: Callable[[T], None]) -> list[Rejected]:
    """Add what was made, as it comes; what could not be is returned."""
    rejected: list[Rejected] = []
    for one in found:
        if isinstance(one, Rejected):
            rejected.append(one)
        else:
            add(one)
    return rejected


def numbered(name: str) -> Iterator[str]:
    """A name, and then the same with numbers from 2 on, without end."""
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _page_name(number: int) -> str:
    return f"{GRID}-{number + 1}.png" if number else f"{GRID}.png"


def _write(path: Path, save: Callable[[Path], None]) -> None:
    try:
        save(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error}); choose another folder") from None


def _save_picture(row: list[Tensor], path: Path) -> None:
    """Save pictures, side by side."""
    save_picture(Image.fromarray(torch.cat(row, dim=2).permute(1, 2, 0).numpy()), path)


def short_name(name: str) -> str:
    """A name that leaves room for a number and an ending, cut between two letters."""
    while len(os.fsencode(name)) > NAME_BYTES:
        name = name[:-1]
    return name
