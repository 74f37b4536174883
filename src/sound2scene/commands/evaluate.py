"""Measure methods that draw pictures of sounds, all by one protocol."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from sound2scene import defaults
from sound2scene.commands.parser import Admit, Command, Option, Output

if TYPE_CHECKING:
    from sound2scene.commands.evaluation_run import Evaluated
    from sound2scene.evaluation.protocol import Protocol

TOLD = 5  # lines about clips that a method has no picture of; the result has them all


class Order(NamedTuple):
    """What is asked for.

    Attributes:
        data: Folder or address of shards.
        output: Result to write, a JSON file; the picture beside it has its name.
        protocol: Name of a protocol of experiments/protocols, or a YAML file like them.
        split: Split whose sounds are drawn; by default the protocol's.
        draws: Pictures of each sound; by default the protocol's.
        seed: Seed of what is random; by default the protocol's.
        network: NAME=PATH, one or more: where the weights or artifact of a network of the protocol lie.
        image_encoder: Artifact of the image encoder whose features the oracles look up.
        leave_out: Hygiene file, whose clips are left out; see `sound2scene hygiene`.
        rows: Sounds in the picture.
        cache: Folder of what was drawn and measured, so that nothing is drawn twice; it may be deleted.
        workers: Decoding processes per device; 0 decodes in the drawing one.
        accelerator: Kind of device, as Lightning names it: cpu, gpu, auto.
        devices: Number of devices, or auto for all.
        nodes: Machines that share the work; they need one shared cache.
        admit: Packages of your own whose classes cards may name; loading one runs its code.
    """

    data: Annotated[str, Option(metavar="SHARDS")]
    output: Output
    protocol: str = "toy"
    split: str | None = None
    draws: Annotated[int | None, Option("-n", between=(1, 1024))] = None
    seed: Annotated[int | None, Option(between=(0, 2**62))] = None
    network: Annotated[list[str] | None, Option(metavar="NAME=PATH")] = None
    image_encoder: Path = Path(defaults.IMAGE_ENCODER)
    leave_out: Annotated[Path | None, Option(metavar="HYGIENE")] = None
    rows: Annotated[int, Option(between=(1, 64))] = 8
    cache: Path = Path("data/evaluations")
    workers: Annotated[int, Option(between=(0, 1024))] = 2
    accelerator: str = "auto"
    devices: str = "1"
    nodes: Annotated[int, Option(between=(1, 65_536))] = 1
    admit: Admit = None


def evaluate(methods: Annotated[list[str], Option(metavar="METHOD")], *, order: Order) -> int:
    """Measure methods by one protocol on one split, and print their figures.

    Real pictures are always among them. A killed run goes on when it is repeated; one with more methods draws
    only what is new.

    Args:
        methods: [NAME=]KIND[:KEY=VALUE,...]: sound2scene, manifold, s2i, real, ceiling, nearest, shuffled,
            class_mean, or folder:path=FOLDER for pictures that another system wrote.
        order: What to measure, and where to.
    """
    from sound2scene import artifacts

    artifacts.admit(*(order.admit or ()))
    return _evaluated(methods, order)


def _evaluated(methods: list[str], order: Order) -> int:
    from sound2scene.commands.evaluation_files import write
    from sound2scene.commands.evaluation_run import Wanted
    from sound2scene.commands.evaluation_run import evaluate as run

    protocol = protocol_of(order)
    left_out = {} if order.leave_out is None else _left_out(order.leave_out, order.data, protocol.split)
    wanted = Wanted(
        methods,
        order.data,
        protocol,
        str(order.image_encoder),
        left_out,
        order.cache,
        order.rows,
        order.workers,
    )
    machine = {"accelerator": order.accelerator, "devices": order.devices, "num_nodes": order.nodes}
    found = run(wanted, **machine)
    if found is None:  # the first process tells
        return 0
    write(order.output, order.protocol, wanted, found)
    return _told(order.output, found)


def _left_out(path: Path, data: str, split: str) -> dict[str, str]:
    from sound2scene.data.hygiene import read_hygiene
    from sound2scene.data.shards.read import Folder
    from sound2scene.types import InputError

    hygiene = read_hygiene(path)
    hygiene.check(Folder(data).fingerprints(), data)
    if hygiene.split != split:
        raise InputError(f"{path}: is of the split {hygiene.split}; run `sound2scene hygiene` on {split}")
    return hygiene.left_out


def protocol_of(order: Order) -> Protocol:
    """The protocol of an order, with what the command line says otherwise.

    Raises:
        InputError: If there is none, it has no network of a given name, or it asks for a hygiene file that is
            not given.
    """
    from sound2scene.evaluation import protocol as protocols
    from sound2scene.types import InputError

    sources = {}
    for word in order.network or ():
        name, is_there, path = word.partition("=")
        if not (is_there and name and path):
            raise InputError(
                f"--network {word}: is no NAME=PATH; write for instance --network clip=clip.safetensors"
            )
        sources[name] = path
    found = protocols.with_changes(
        protocols.read(order.protocol), sources, split=order.split, draws=order.draws, seed=order.seed
    )
    if found.hygiene and order.leave_out is None:
        raise InputError(
            f"--protocol {order.protocol}: leaves out what `sound2scene hygiene` finds in the data; run it, "
            "and give its file by --leave-out"
        )
    return found


def _told(output: Path, found: Evaluated) -> int:
    """Print the table; status 1 if a method lacks a picture."""
    from sound2scene.evaluation import comparison
    from sound2scene.evaluation.result import read
    from sound2scene.tables import aligned

    for one in found.methods:
        for clip in one.absent[:TOLD]:
            print(f"sound2scene: {one.method.label}: {clip.reason}", file=sys.stderr)
        if len(one.absent) > TOLD:
            print(
                f"sound2scene: {one.method.label}: {len(one.absent)} clips without a picture", file=sys.stderr
            )
    (table,) = comparison.tables_of([(str(output), read(output))])
    print(table.about)
    print(aligned(comparison.head(table), comparison.cells(table, intervals=False)))
    for note in table.notes:
        print(note)
    picture = output.with_suffix(".png").name
    print(f"{output}: every figure with its interval; {picture} beside it shows pictures")
    return 1 if any(one.absent for one in found.methods) else 0


COMMAND: Command = evaluate
