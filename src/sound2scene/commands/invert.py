"""Find feature and noise of pictures for a generator."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from sound2scene.commands.control_pictures import Search
from sound2scene.commands.model_choice import with_networks
from sound2scene.commands.parser import Command, Option, Output

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from sound2scene.commands.control_files import Row, Step
    from sound2scene.commands.control_pictures import Given
    from sound2scene.commands.control_record import Made
    from sound2scene.control.found import Found
    from sound2scene.control.inversion import Inverter
    from sound2scene.figures.steps import ShownRow
    from sound2scene.types import Rejected

FIRST, INVERTED = "first noise", "inversion"


def invert(
    pictures: Annotated[list[Path], Option(metavar="PICTURE")],
    *,
    folder: Output,
    search: Search,
) -> int:
    """Find feature and noise of pictures for a generator; status 1 if one could not be read.

    Args:
        pictures: Picture files, of which the centred square counts.
        folder: Folder of the figure, the pictures, control.json, and inverted.safetensors, which `edit`
            takes; run again after an interruption, the work goes on.
        search: How to look for them.
    """
    from sound2scene import artifacts
    from sound2scene.commands.control_pictures import inversions_of, read_pictures
    from sound2scene.commands.control_record import Made
    from sound2scene.control.inversion import Inverter

    artifacts.admit(*(search.admit or ()))
    search = with_networks(search)
    inverter = Inverter(str(search.generator), str(search.image_encoder), search.device)
    given, rejected = read_pictures(inverter, pictures)
    found = inversions_of(inverter, given, search.effort, folder).found if given else {}
    settings = {"steps": search.steps, "starts": search.starts, "candidates": search.effort.candidates}
    made = Made("invert", search.seed, 1, 1.0, settings, str(inverter.device), search.networks(inverter))
    return _written(inverter, [(one, found[one.sha256]) for one in given], rejected, made, folder)


def _written(
    inverter: Inverter,
    inverted: Sequence[tuple[Given, Found]],
    rejected: Sequence[Rejected],
    made: Made,
    folder: Path,
) -> int:
    from sound2scene.commands.control_files import Appearance, ControlFiles
    from sound2scene.control.found import INVERTED as FILE

    courses = (found.psnr_T for _, found in inverted)

    def page(shown: Sequence[ShownRow], _title: str, _axis: str, about: str) -> Figure:
        return _page(shown, courses, about)

    steps, starts, candidates = made.settings.values()
    about = f"{steps} steps, the best {starts} of {candidates} noises, seed {made.seed}; "
    about += "likeness to the picture: PSNR, SSIM, cosine of features"
    writer = ControlFiles(folder, made, Appearance("", "", about=about, page=page))
    writer.write([*rejected, *(_row(inverter, given, found, made.seed) for given, found in inverted)])
    for row, (given, found) in zip(writer.rows, inverted, strict=True):
        _write_beside(folder / row["name"], given, found)
        print(f"{folder / row['name']}: {_told(row['steps'][-1]['numbers'])}")
    for one in rejected:
        print(f"sound2scene: {one.reason}", file=sys.stderr)
    if writer.pages:
        print(f"{folder / writer.pages[0]}: the figure; `edit --latent {folder / FILE}` goes on from here")
    return 1 if rejected else 0


def _row(inverter: Inverter, given: Given, found: Found, seed: int) -> Row:
    from sound2scene.commands.control_files import Row

    return Row(given.path.stem, [given.source], list(_steps(inverter, given, found, seed)), 2)


def _steps(inverter: Inverter, given: Given, found: Found, seed: int) -> Iterator[Step]:
    """What is drawn of the encoder's feature, and of what was found."""
    import torch
    from torch.nn.functional import normalize

    from sound2scene.commands.control_files import Step
    from sound2scene.commands.control_pictures import measured
    from sound2scene.figures.panels import pixels_of
    from sound2scene.latent import noise

    seen_D = normalize(inverter.seen(given.pixels_CHW[None])[0], dim=0)
    first_Z = noise(seed, 0, len(found.noise_Z))
    z_2D, noise_2Z = torch.stack([seen_D, found.z_D]), torch.stack([first_Z, found.noise_Z])
    drawn_2CHW = inverter.draw(z_2D, noise_2Z)
    measures = measured(inverter, drawn_2CHW, given.pixels_CHW)
    rows = zip((FIRST, INVERTED), z_2D, noise_2Z, drawn_2CHW, measures, strict=True)
    for label, z_D, noise_Z, pixels_CHW, likeness in rows:
        numbers = likeness._asdict() | {
            "feature_moved_cosine": float(z_D @ seen_D),
            "noise_mean_square": float(noise_Z.square().mean()),
        }
        picture_HWC = pixels_of(given.pixels_CHW)
        yield Step(label, z_D, pixels_CHW[None], None, picture_HWC, noise_Z[None], numbers, likeness.words())


def _page(shown: Sequence[ShownRow], courses: Iterator[Tensor], about: str) -> Figure:
    import torch

    from sound2scene.figures.inversion import ShownInversion, page_of_inversions

    rows = []
    for row in shown:
        first, last = row.steps
        assert first.picture_HWC is not None
        picture_CHW = torch.from_numpy(first.picture_HWC).permute(2, 0, 1)
        pixels_3CHW = torch.stack([picture_CHW, first.pixels_JCHW[0], last.pixels_JCHW[0]])
        remarks = first.label.removeprefix(f"{FIRST}, "), last.label.removeprefix(f"{INVERTED}, ")
        rows.append(ShownInversion(row.name, next(courses), pixels_3CHW, remarks))
    return page_of_inversions(rows, about)


def _write_beside(folder: Path, given: Given, found: Found) -> None:
    """The picture as the generator could draw it, and the course of the search."""
    from PIL import Image

    from sound2scene import files
    from sound2scene.figures.panels import pixels_of, save_picture

    save_picture(Image.fromarray(pixels_of(given.pixels_CHW)), folder / "picture.png")
    pairs = zip(found.loss_T.tolist(), found.psnr_T.tolist(), strict=True)
    lines = [f"{step},{loss:.6g},{psnr:.4f}" for step, (loss, psnr) in enumerate(pairs)]
    files.write(folder / "search.csv", "\n".join(["step,loss,psnr_db", *lines]) + "\n")


def _told(numbers: Mapping[str, float]) -> str:
    return (
        f"PSNR {numbers['psnr_db']:.1f} dB, SSIM {numbers['ssim']:.3f}, "
        f"feature cosine {numbers['feature_cosine']:.3f}"
    )


COMMAND: Command = invert
