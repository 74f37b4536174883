"""What the commands that invert pictures share: reading, inverting in groups, and measuring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from sound2scene import defaults
from sound2scene.commands.model_choice import Model
from sound2scene.commands.parser import Admit, Option, Seed

if TYPE_CHECKING:
    from torch import Tensor

    from sound2scene.commands.control_record import SourceFile
    from sound2scene.commands.picture_record import Network
    from sound2scene.control.found import Found, Inversions
    from sound2scene.control.inversion import Inverter
    from sound2scene.control.likeness import Likeness
    from sound2scene.control.search import Effort
    from sound2scene.progress import Bar
    from sound2scene.types import Rejected

AT_ONCE = 8  # pictures whose inversion is kept together
STATE = "inversion.state"


class Search(NamedTuple):
    """How inversions are looked for: what every command that inverts pictures is told.

    Attributes:
        steps: Steps of the optimisation.
        starts: Noises that are optimised for each picture; the best one counts.
        seed: Seed of the noises; the same seed finds the same.
        model: Model whose networks to take, where no option names one; see `sound2scene models`.
        generator: Artifact of the generator.
        image_encoder: Artifact of the image encoder whose features it draws.
        device: Device, as torch names it; by default a GPU where there is one.
        admit: Packages of your own whose classes cards may name; loading one runs its code.
    """

    steps: Annotated[int, Option(between=(1, 100_000))] = 150
    starts: Annotated[int, Option(between=(1, 1024))] = 2
    seed: Seed = 0
    model: Model = None
    generator: Path = Path(defaults.GENERATOR)
    image_encoder: Path = Path(defaults.IMAGE_ENCODER)
    device: str | None = None
    admit: Admit = None

    @property
    def effort(self) -> Effort:
        """How hard to look: with the usual candidates, or fewer for fewer steps, but one for each start."""
        from sound2scene.control.search import Effort

        candidates = max(self.starts, min(Effort.candidates, self.steps))
        return Effort(self.steps, self.starts, candidates, self.seed)

    def networks(self, inverter: Inverter) -> dict[str, Network]:
        """The networks, for the record."""
        from sound2scene.commands.picture_record import Network

        folders = {"generator": self.generator, "image_encoder": self.image_encoder}
        return {
            name: Network(folder=str(folder), fingerprint=inverter.fingerprints[name])
            for name, folder in folders.items()
        }


class Given(NamedTuple):
    """A picture that was read.

    Attributes:
        path: Its file.
        sha256: Checksum of that.
        pixels_CHW: Its centred square as the generator could draw it, uint8.
    """

    path: Path
    sha256: str
    pixels_CHW: Tensor

    @property
    def source(self) -> SourceFile:
        """The file, for the record."""
        return {"file": str(self.path), "sha256": self.sha256}


def read_pictures(inverter: Inverter, paths: Sequence[Path]) -> tuple[list[Given], list[Rejected]]:
    """The pictures that can be read, and why others cannot.

    Args:
        inverter: Says how large they are to be, and whether its image encoder sees something in them.
        paths: Their files.
    """
    from sound2scene.commands.picture_record import checksum
    from sound2scene.control.picture_encoder import read_picture
    from sound2scene.types import InputError, Rejected

    given, rejected = list[Given](), list[Rejected]()
    for path in paths:
        try:
            pixels_CHW = inverter.pixels(read_picture(path))
            if not inverter.sees(pixels_CHW):
                raise InputError(f"{path}: the image encoder sees nothing in it; give another picture")
            given.append(Given(path, checksum(path), pixels_CHW))
        except InputError as error:
            rejected.append(Rejected(str(path), str(error)))
    return given, rejected


def inversions_of(inverter: Inverter, given: Sequence[Given], effort: Effort, folder: Path) -> Inversions:
    """Inversions of pictures, a few at a time; what a folder holds of the same effort is taken from there.

    Args:
        inverter: The networks.
        given: The pictures.
        effort: How hard to look.
        folder: Where the inversions are written as they come, and the state of those under way.

    Raises:
        InputError: If the folder cannot be written, or holds the state of other work.
    """
    from sound2scene import files
    from sound2scene.control.found import INVERTED, Inversions
    from sound2scene.progress import Bar

    files.make_folder(folder)
    known = _known(folder / INVERTED, inverter, effort)
    wanted = {one.sha256: one.pixels_CHW for one in given}
    missing = [sha256 for sha256 in wanted if sha256 not in known]
    with Bar(
        len(wanted) * effort.steps, "inversion", "step", (len(wanted) - len(missing)) * effort.steps
    ) as bar:
        for start in range(0, len(missing), AT_ONCE):
            part = missing[start : start + AT_ONCE]
            pixels = [wanted[sha256] for sha256 in part]
            for sha256, found in zip(
                part, _inverted(inverter, pixels, effort, folder / STATE, bar), strict=True
            ):
                known[sha256] = found
            Inversions(inverter.fingerprints, asdict(effort), known).write(folder / INVERTED)
    return Inversions(inverter.fingerprints, asdict(effort), known)


def _known(path: Path, inverter: Inverter, effort: Effort) -> dict[str, Found]:
    from sound2scene.control.found import read_inversions

    if not path.exists():
        return {}
    before = read_inversions(path)
    same = before.fingerprints == inverter.fingerprints and before.effort == asdict(effort)
    return dict(before.found) if same else {}


def _inverted(
    inverter: Inverter, pixels: Sequence[Tensor], effort: Effort, state: Path, bar: Bar
) -> Iterator[Found]:
    import torch

    from sound2scene.control.found import Found

    found = inverter.invert(
        torch.stack(list(pixels)), effort, state, lambda steps: bar.update(steps * len(pixels))
    )
    for row in zip(*found, strict=True):
        yield Found(*row)


def measured(inverter: Inverter, drawn_BCHW: Tensor, pixels_CHW: Tensor) -> list[Likeness]:
    """How alike pictures are to one, all uint8."""
    from sound2scene.control.likeness import likeness

    pixels_1CHW = pixels_CHW[None]
    seen_BD, seen_1D = inverter.seen(drawn_BCHW), inverter.seen(pixels_1CHW)
    return likeness(drawn_BCHW, pixels_1CHW.expand_as(drawn_BCHW), seen_BD, seen_1D.expand_as(seen_BD))
