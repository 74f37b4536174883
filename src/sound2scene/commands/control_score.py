"""Measure the claims of control on the toy world."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from sound2scene import defaults
from sound2scene.commands.model_choice import Model, with_networks
from sound2scene.commands.parser import Admit, Command, Option, Output, Seed
from sound2scene.tables import aligned, markdown

if TYPE_CHECKING:
    from sound2scene.control.score_bench import Figure

TABLE = "scores.md"
HEAD = ("claim", "figure", "value", "95 % interval", "N", "without it")


class Order(NamedTuple):
    """What is asked for.

    Attributes:
        data: Folder or address of toy shards.
        folder: Folder of scores.json, with every figure, and scores.md, with their table.
        split: Split of it.
        clips: Clips of one source that are used at most, and of two.
        inverted: Pictures that are inverted and edited at most.
        inversion_steps: Steps of each inversion.
        seed: Seed of noise, of who is mixed with whom, and of the resamples behind intervals.
        model: Model whose networks to take, where no option names one; see `sound2scene models`.
        audio_encoder: Artifact of the audio encoder.
        generator: Artifact of a generator for the same image encoder.
        image_encoder: Artifact of that image encoder.
        reader: Artifact of a reader of toy pictures, which tells what they show.
        device: Device, as torch names it; by default a GPU where there is one.
        admit: Packages of your own whose classes cards may name; loading one runs its code.
    """

    data: Annotated[str, Option(metavar="SHARDS")]
    folder: Output
    split: str = "test"
    clips: Annotated[int, Option(between=(2, 2**20))] = 512
    inverted: Annotated[int, Option(between=(1, 2**20))] = 64
    inversion_steps: Annotated[int, Option(between=(1, 2**20))] = 60
    seed: Seed = 0
    model: Model = None
    audio_encoder: Path = Path(defaults.AUDIO_ENCODER)
    generator: Path = Path(defaults.GENERATOR)
    image_encoder: Path = Path(defaults.IMAGE_ENCODER)
    reader: Path = Path(defaults.READER)
    device: str | None = None
    admit: Admit = None


def control_score(*, order: Order) -> int:
    """Measure control on toy shards and print the paper's claims; status 1 if a clip could not be used.

    Args:
        order: What to measure, and where to.
    """
    from sound2scene import artifacts

    artifacts.admit(*(order.admit or ()))
    return _scored(with_networks(order))


def _scored(order: Order) -> int:
    from sound2scene import files
    from sound2scene.commands.control_score_record import Source, write_record
    from sound2scene.control.score import measure
    from sound2scene.control.score_bench import Bench, Extent
    from sound2scene.control.score_clips import ToyClips
    from sound2scene.control.search import Effort
    from sound2scene.methods.sound2scene import SoundToScene

    effort = Effort(order.inversion_steps, starts=1, seed=order.seed)
    extent = Extent(inverted=order.inverted, effort=effort, seed=order.seed)
    networks = ("audio_encoder", "generator", "image_encoder", "reader")
    named = {name: str(getattr(order, name)) for name in networks}
    scene = SoundToScene(named["audio_encoder"], named["generator"], order.device)
    bench = Bench(scene, named["image_encoder"], named["reader"], order.seed)
    clips = ToyClips(order.data, order.split, order.clips, order.seed)
    for one in clips.rejected:
        print(f"sound2scene: {one.reason}", file=sys.stderr)
    measured = measure(bench, clips, extent)
    folder, found = order.folder, {name: (path, bench.fingerprints[name]) for name, path in named.items()}
    files.make_folder(folder)
    write_record(folder, Source(order.data, clips), extent, measured, (found, str(scene.device)))
    files.write(folder / TABLE, markdown(HEAD, [row_of(figure) for figure in measured.figures]))
    claims = [figure for figure in measured.figures if figure.claim]
    print(aligned(HEAD, [row_of(figure) for figure in _in_order(claims)]))
    print(f"{folder / TABLE}: every figure; scores.json beside it has the courses, too")
    return 1 if clips.rejected else 0


def _in_order(figures: Sequence[Figure]) -> list[Figure]:
    """Figures of one claim side by side."""
    claims = list(dict.fromkeys(figure.claim for figure in figures))
    return sorted(figures, key=lambda figure: claims.index(figure.claim))


def row_of(figure: Figure) -> list[str]:
    """A figure as a row of the table."""
    value, low, high, count = figure.estimate
    without = "" if figure.without is None else f"{figure.without:.3g} ({figure.meaning})"
    return [figure.claim, figure.about, f"{value:.3f}", f"{low:.3f} to {high:.3f}", str(count), without]


COMMAND: Command = control_score
