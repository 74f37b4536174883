"""List the models that have names, or get one of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from sound2scene.commands.parser import Command, Option

File = Annotated[Path | None, Option(metavar="FILE")]


def models(
    name: Annotated[str | None, Option(metavar="NAME")] = None,
    *,
    audio_encoder: File = None,
    generator: File = None,
    image_encoder: File = None,
) -> None:
    """List the models that `--model` takes, with licence, address and what is on disk; or get one of them.

    Args:
        name: Model to have on disk, so that it works without a network; by default all are listed.
        audio_encoder: Its audio encoder's checkpoint, fetched by hand.
        generator: Its generator's checkpoint, fetched by hand: the archive, or the folder in it.
        image_encoder: Its image encoder's checkpoint, fetched by hand.
    """
    from sound2scene.published.models import MODELS, obtain
    from sound2scene.types import InputError

    files = {"audio_encoder": audio_encoder, "generator": generator, "image_encoder": image_encoder}
    given = {role: file for role, file in files.items() if file is not None}
    if name is not None:
        for role, folder in obtain(name, given).items():
            print(f"{role.replace('_', ' ')}: {folder}")
        return
    if given:
        raise InputError(f"--{min(given).replace('_', '-')}: a file of which model? name it, see `models`")
    for each in MODELS:
        print("\n".join(_told(each)))


def _told(name: str) -> Iterator[str]:
    """What there is to say of a model, a line each."""
    from sound2scene.published.models import MODELS, ROLES, folder_of, lies_here

    model = MODELS[name]
    yield f"{name}: {model.about}"
    for role in ROLES:
        folder = folder_of(name, role)
        state = f"on disk, {folder}" if lies_here(name, role) else "not on disk"
        yield f"  {role.replace('_', ' ')}: {state}"
        if role not in model.parts:
            continue
        published = model.parts[role].published
        known = "unknown" if published.size_bytes is None else f"{published.size_bytes / 1e6:.0f} MB"
        yield f"    from {published.address}"
        checksum = published.sha256 or "not published; that of the first download holds"
        yield f"    size {known}, sha256 {checksum}"
        yield f"    by hand from {published.page}"
        yield f"    licence: {published.licence}"


COMMAND: Command = models
