"""What the commands of control write: figure, pictures, sounds, latents, animations and `control.json`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from sound2scene import audio, files
from sound2scene.commands.control_record import (
    RECORD,
    Made,
    SourceFile,
    WrittenRow,
    WrittenStep,
    write_record,
)
from sound2scene.commands.picture_files import add_each, numbered, short_name
from sound2scene.commands.picture_record import Unreadable
from sound2scene.figures.animation import Moving, write_moving
from sound2scene.figures.panels import save as save_figure
from sound2scene.figures.panels import save_picture
from sound2scene.figures.steps import ShownRow, ShownStep, frame_of_step, page_of_steps
from sound2scene.figures.words import noise_words
from sound2scene.types import Rejected

LATENTS = "latents.safetensors"
SHOWN_STEPS, SHOWN_DRAWS = 17, 8  # in a figure; the files have them all
PAGE_LINES = 40
_UNFIT = re.compile(r"[^\w.,+-]+")


class Step(NamedTuple):
    """One step of a change, drawn.

    Attributes:
        label: Where the change stands, such as `4 dB`.
        z_D: What was drawn.
        pixels_JCHW: Its pictures, uint8.
        waveform_T: Sound that it was drawn from, 16 kHz mono in [-1, 1]; it is written as FLAC.
        picture_HWC: Picture that it was drawn from, or is to be seen above it; uint8.
        noise_JZ: Noise of its pictures, where it is not that of the seed. Either all steps of a row have
            some, or none.
        numbers: What made it and what was measured, for the record.
        remark: What else the figure says of it, such as `4.1 % clipped`.
    """

    label: str
    z_D: Tensor
    pixels_JCHW: Tensor
    waveform_T: Tensor | None = None
    picture_HWC: NDArray[np.uint8] | None = None
    noise_JZ: Tensor | None = None
    numbers: Mapping[str, float] = {}
    remark: str = ""


class Row(NamedTuple):
    """Steps that belong together, such as the gains of one sound.

    Attributes:
        name: What to call them.
        sources: Files that they were drawn from.
        steps: The steps; they are taken one after the other, and few are held.
        length: How many there are.
    """

    name: str
    sources: list[SourceFile]
    steps: Iterable[Step]
    length: int


class Appearance(NamedTuple):
    """How the figure speaks of rows.

    Attributes:
        title: What it shows.
        axis: What changes from left to right, with its unit.
        animation: Kind of the animation that each row gets; None for none.
        about: What the pictures rest on; by default their noise.
        page: Draws the figure of some rows, from title, axis and about; by default a column a step.
    """

    title: str
    axis: str
    animation: Moving | None = None
    about: str = ""
    page: Callable[[Sequence[ShownRow], str, str, str], Figure] = page_of_steps


class ControlFiles:
    """Writes rows of steps as they come.

    The folder gets `<operation>.png` (and `-2.png` ... where there is more than a page), a folder for each
    row with a PNG for each picture and a FLAC for each sound, `latents.safetensors`, animations, and
    `control.json`. Files of the same names are replaced, each whole or not at all.

    Args:
        folder: Where to; it is made with the first picture.
        made: How the pictures are made.
        appearance: How the figure speaks of them.

    Attributes:
        rows: What was written.
        pages: Names of the figures.
    """

    def __init__(self, folder: Path, made: Made, appearance: Appearance) -> None:
        self.folder, self.made, self.appearance = folder, made, appearance
        self.rows: list[WrittenRow] = []
        self.pages: list[str] = []
        self._tensors: dict[str, Tensor] = {}
        self._page: list[ShownRow] = []
        self._taken = {RECORD, LATENTS}

    def write(self, rows: Iterable[Row | Rejected]) -> list[Rejected]:
        """Write everything.

        Args:
            rows: What was drawn, or why it could not be.

        Returns:
            What could not be; it stands in `control.json`, too. Where there is nothing else, nothing is
            written.

        Raises:
            InputError: If the folder cannot be written.
        """
        rejected = add_each(rows, self._add)
        if not self.rows:
            return rejected
        self._turn()
        with files.replacing(self.folder / LATENTS) as partial:
            save_file(self._tensors, partial)
        unreadable = [Unreadable(file=one.key, reason=one.reason) for one in rejected]
        write_record(self.folder, self.made, LATENTS, self.pages, self.rows, unreadable)
        return rejected

    def _add(self, row: Row) -> None:
        name = self._free(short_name(row.name))
        files.make_folder(self.folder / name)
        chosen = set(_spread(row.length))
        shown: list[ShownStep] = []
        written: list[WrittenStep] = []
        z_SD, noise_SJZ = [], []
        for number, step in enumerate(row.steps):
            stem = f"{number:0{len(str(row.length - 1))}}_{_UNFIT.sub('', step.label)[:40]}"
            written.append(self._write_step(f"{name}/{stem}", step))
            z_SD.append(step.z_D.cpu())
            noise_SJZ += [] if step.noise_JZ is None else [step.noise_JZ.cpu()]
            if number in chosen:
                shown.append(_shown(step))
        key = len(self.rows)
        self._tensors[f"{key}.z_SD"] = torch.stack(z_SD)
        if noise_SJZ:
            self._tensors[f"{key}.noise_SJZ"] = torch.stack(noise_SJZ)
        self._place(ShownRow(name, shown))
        self.rows.append(
            {
                "name": name,
                "sources": row.sources,
                "latents": f"{key}.z_SD",
                "noise": f"{key}.noise_SJZ" if noise_SJZ else None,
                "page": self._page_name(),
                "animation": self._animate(name, written),
                "steps": written,
            }
        )

    def _write_step(self, stem: str, step: Step) -> WrittenStep:
        width = len(str(len(step.pixels_JCHW) - 1))
        names = [f"{stem}_{draw:0{width}}.png" for draw in range(len(step.pixels_JCHW))]
        for name, pixels_CHW in zip(names, step.pixels_JCHW, strict=True):
            save_picture(Image.fromarray(pixels_CHW.permute(1, 2, 0).numpy()), self.folder / name)
        sound = None
        if step.waveform_T is not None:
            sound = f"{stem}.flac"
            files.write(self.folder / sound, audio.encode_flac(step.waveform_T.numpy()))
        return {"label": step.label, "numbers": dict(step.numbers), "sound": sound, "pictures": names}

    def _place(self, row: ShownRow) -> None:
        """Put a row on the page, or on the next one where it is full."""
        lines = 1 + len(row.steps[0].pixels_JCHW)
        if self._page and (len(self._page) + 1) * lines > PAGE_LINES:
            self._turn()
        self._page.append(row)

    def _turn(self) -> None:
        made, look = self.made, self.appearance
        shown = len(self._page[0].steps[0].pixels_JCHW)
        about = f"{noise_words(made.seed, shown, made.truncation)}, the same in every step"
        if any(row["noise"] for row in self.rows):
            about = f"{noise_words(made.seed, shown, made.truncation)}, at the first step"
        name, rows = self._page_name(), self._page
        drawn = look.page(rows, look.title, look.axis, look.about or about)
        save_figure(drawn, self.folder / name)
        self.pages.append(name)
        self._page = []

    def _page_name(self) -> str:
        number = len(self.pages) + 1
        return f"{self.made.operation}-{number}.png" if number > 1 else f"{self.made.operation}.png"

    def _animate(self, name: str, steps: list[WrittenStep]) -> str | None:
        kind = self.appearance.animation
        if kind is None or len(steps) < 2:
            return None
        path = f"{name}/{name}.{kind}"
        write_moving(self._frames(steps), len(steps), self.folder / path, kind)
        return path

    def _frames(self, steps: list[WrittenStep]) -> Iterator[Image.Image]:
        for step in steps:
            pictures = [self.folder / picture for picture in step["pictures"][:SHOWN_DRAWS]]
            yield frame_of_step(step["label"], [Image.open(picture) for picture in pictures])

    def _free(self, stem: str) -> str:
        """A name that no other row has, and no page."""
        page = re.compile(rf"{re.escape(self.made.operation)}(-[0-9]+)?\.png", re.IGNORECASE)
        for name in numbered(stem):
            if name.casefold() not in self._taken and not page.fullmatch(name):
                self._taken.add(name.casefold())  # some disks know no capitals
                return name
        raise AssertionError("numbers do not end")


def _shown(step: Step) -> ShownStep:
    label = ", ".join(filter(None, (step.label, step.remark)))
    return ShownStep(label, step.pixels_JCHW[:SHOWN_DRAWS], step.waveform_T, step.picture_HWC)


def _spread(count: int) -> list[int]:
    """Which of so many steps a figure shows: evenly, the first and the last among them."""
    if count <= SHOWN_STEPS:
        return list(range(count))
    return [round(number * (count - 1) / (SHOWN_STEPS - 1)) for number in range(SHOWN_STEPS)]
