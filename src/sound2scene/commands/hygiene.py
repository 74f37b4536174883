"""List clips of a split that another split knows already, or that tell nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from sound2scene.commands.parser import Command, Option, Output, Workers

if TYPE_CHECKING:
    from sound2scene.data.hygiene import Hygiene


def hygiene(
    shards: str,
    *,
    output: Output,
    split: str = "test",
    against: list[str] | None = None,
    videos: Path | None = None,
    silent_db: Annotated[float, Option(between=(-200, 0))] = -60.0,
    workers: Workers = 1,
) -> int:
    """List clips of a split that another split knows already, or that tell nothing.

    Args:
        shards: Folder or address of the dataset.
        output: File to write, hygiene.json; `prepare clean` and `evaluate` leave its clips out.
        split: Split to look at.
        against: Splits with which it should have nothing in common; by default train.
        videos: Folder of the videos that the clips are of, to find those in which nothing moves.
        silent_db: Level in dB of full scale below which a sound counts as silent.
        workers: Processes.
    """
    from sound2scene.data.inspection import inspect

    found = inspect(shards, split, against or ["train"], videos, silent_db, workers)
    found.save(output)
    print("\n".join(told(found)))
    print(f"{output}: lists them")
    return 0


def told(found: Hygiene) -> list[str]:
    """What was found, in lines."""
    others = ", ".join(f"{name} ({found.clips[name]})" for name in found.fingerprints if name != found.split)
    beside = f" beside {others}" if others else ""
    total = found.clips[found.split]
    lines = [f"{found.split}: {len(found.left_out)} of {total} clips to leave out{beside}"]
    lines += [f"- {count} {kind.replace('_', ' ')}" for kind, count in found.counts().items()]
    lines += [f"- {kind}: not looked for; {why}" for kind, why in found.not_looked_for.items()]
    return lines


COMMAND: Command = hygiene
