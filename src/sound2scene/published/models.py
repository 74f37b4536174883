"""Published models by name: which networks belong together, where they lie, and those that lie here already.

A network is downloaded and turned into an artifact when its model is first asked for; from then on nothing is
asked of the web. The artifacts lie in the folder of downloads, under `models/NAME`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from filelock import FileLock

from sound2scene import artifacts, defaults, download, files
from sound2scene.published.checkpoint import Published
from sound2scene.published.icgan import ICGAN, import_icgan
from sound2scene.published.sound2scene import SOUND2SCENE, import_audio_encoder
from sound2scene.published.swav import SWAV, import_swav
from sound2scene.types import InputError

# In the order in which they are made: the card of the first one goes into those of the others.
ROLES = ("image_encoder", "audio_encoder", "generator")
Role = str


class Import(Protocol):
    """Turns a checkpoint into an artifact; see the modules beside this one."""

    def __call__(
        self,
        source: str | os.PathLike[str],
        folder: str | os.PathLike[str],
        /,
        *,
        image_encoder: str | None = None,
        published: Published,
    ) -> Path:
        """Write the artifact of a source."""


def _swav(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    /,
    *,
    image_encoder: str | None = None,
    published: Published,
) -> Path:
    assert image_encoder is None, "it is the image encoder"
    return import_swav(source, folder, published=published)


@dataclass(frozen=True)
class Part:
    """A network of a model.

    Attributes:
        published: Where its checkpoint lies.
        import_it: What turns that into an artifact.
    """

    published: Published
    import_it: Import


@dataclass(frozen=True)
class Model:
    """Networks that belong together.

    Attributes:
        about: What it draws, and who made it.
        parts: Networks that have to be downloaded, by their roles.
        folders: Artifacts that come with the package, by their roles.
    """

    about: str
    parts: Mapping[Role, Part] = field(default_factory=dict)
    folders: Mapping[Role, str] = field(default_factory=dict)


MODELS: dict[str, Model] = {
    "toy": Model(
        "64 px, 8 kinds of source of the toy world; comes with the package",
        folders={
            "image_encoder": defaults.IMAGE_ENCODER,
            "audio_encoder": defaults.AUDIO_ENCODER,
            "generator": defaults.GENERATOR,
        },
    ),
    "sound2scene-vggsound": Model(
        "128 px, the paper's own: its audio encoder of VGGSound, IC-GAN of ImageNet, SwAV",
        parts={
            "image_encoder": Part(SWAV, _swav),
            "audio_encoder": Part(SOUND2SCENE, import_audio_encoder),
            "generator": Part(ICGAN, import_icgan),
        },
    ),
}


def model_named(name: str) -> Model:
    """The model of a name.

    Raises:
        InputError: If there is none.
    """
    if name not in MODELS:
        raise InputError(f"--model {name}: no such model; `sound2scene models` lists {', '.join(MODELS)}")
    return MODELS[name]


def folder_of(name: str, role: Role) -> Path:
    """Where the artifact of a network lies, or would."""
    known = model_named(name).folders.get(role)
    return Path(known) if known else download.cache() / "models" / name / role.replace("_", "-")


def lies_here(name: str, role: Role) -> bool:
    """Whether the artifact of a network is on disk."""
    try:
        artifacts.read_card(folder_of(name, role))
    except InputError:
        return False
    return True


def obtain(name: str, given: Mapping[Role, Path] | None = None) -> dict[Role, Path]:
    """The artifacts of a model by role; what is not on disk is downloaded, and its licence printed.

    Args:
        name: Name of the model.
        given: Checkpoints that were fetched by hand, by role; they replace what is on disk.

    Raises:
        InputError: If there is no such model, or a network of it cannot be had; the message says by what page
            and option it can be had by hand.
    """
    model, given = model_named(name), given or {}
    if strange := given.keys() - model.parts.keys():
        raise InputError(f"--{_option(min(strange))}: {name} needs no such file; leave it out")
    found = {role: folder_of(name, role) for role in ROLES}
    if not model.parts:
        return found
    place = download.cache() / "models" / name
    with files.writing(place):
        place.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place.with_name(f"{name}.lock"))
    with lock:
        renewed = False
        for role in ROLES:
            if role not in model.parts:
                continue
            # Cards name the image encoder; of another one nothing fits any more.
            if role in given or not lies_here(name, role) or renewed:
                before = _fingerprint(found[ROLES[0]])
                _make(name, role, found, given.get(role))
                renewed |= role == ROLES[0] and before != _fingerprint(found[role])
    return found


def _make(name: str, role: Role, found: Mapping[Role, Path], given: Path | None) -> None:
    """Write the artifact of a network from its checkpoint, and print its licence."""
    part = MODELS[name].parts[role]
    published = part.published
    encoder = None if role == ROLES[0] else str(found[ROLES[0]])
    if given is None:
        size = "" if published.size_bytes is None else f" ({published.size_bytes / 1e6:.0f} MB)"
        print(f"{name}: {_option(role)} from {published.address}{size}", file=sys.stderr)
    try:
        part.import_it(given or "published", found[role], image_encoder=encoder, published=published)
    except InputError as error:
        if given is not None:
            raise
        by_hand = f"sound2scene models {name} --{_option(role)} FILE"
        raise InputError(f"{error}; by hand: fetch it from {published.page} and run `{by_hand}`") from None
    # Training goes on from `import`, not from here; its networks are larger than what draws.
    shutil.rmtree(artifacts.training_folder(found[role]), ignore_errors=True)
    print(f"{found[role]}: {artifacts.read_card(found[role]).licence}", file=sys.stderr)


def _fingerprint(folder: Path) -> str | None:
    try:
        return artifacts.read_card(folder).fingerprint
    except InputError:
        return None


def _option(role: Role) -> str:
    return role.replace("_", "-")
