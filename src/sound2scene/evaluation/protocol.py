"""Protocols: everything that changes a figure of evaluation, in one file under one name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml
from msgspec import Meta

from sound2scene import defaults
from sound2scene.records import content
from sound2scene.types import InputError

FOLDER = Path("experiments/protocols")
_REMEDY = "see experiments/protocols/README.md"
_LARGEST_BYTES = 1 << 20

Positive = Annotated[int, Meta(ge=1, le=2**20)]
Amount = Annotated[int, Meta(ge=0, le=2**20)]
Name = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]*\Z")]


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A network that looks at pictures.

    Attributes:
        kind: A judge or image-encoder artifact, a reader of toy pictures, torchmetrics' Inception, a network
            of timm's, or CLIP.
        source: Folder of the artifact, or file of the weights; None downloads public ones.
        name: What timm calls it, or open_clip the architecture.
        template: Text that CLIP compares pictures with; `{}` stands for the name of a class.
    """

    kind: Literal["judge", "encoder", "reader", "inception", "timm", "clip"]
    source: str | None = None
    name: str | None = None
    template: str = "{}"


class Protocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How methods are measured.

    Attributes:
        about: What it is for, and where it is from.
        side: Height and width in pixels of all pictures, real ones included, before a network sees them.
        networks: Networks by name.
        sets: Networks whose features give FID, KID, precision, recall, density and coverage, and whose scores
            give the inception score.
        classes: Networks whose scores give class-level recall.
        instances: Networks whose features give instance-level recall.
        pairs: Networks whose features give the similarity of drawn and real picture.
        cmmd: CLIP networks whose features give CMMD.
        reader: Network that reads what toy pictures show; None where there is none.
        split: Split whose sounds are drawn.
        reference: Real pictures that drawn ones are compared with as a set: those of the split, or `train`.
        draws: Pictures of each sound.
        seed: Seed of what is random: draws, subsets and resamples.
        class_ks: Every k of class-level recall.
        instance_ks: Every k of instance-level recall.
        kid_subset: Pictures in each subset of KID; 0 leaves it out.
        kid_subsets: Number of these subsets.
        neighbours: Neighbours by which precision, recall, density and coverage are counted.
        resamples: Resamples of the clips, for intervals of means over clips.
        set_resamples: The same for FID, the inception score and rank correlations; 0 gives them no interval.
        class_count: Classes that the dataset has to have; None where any will do.
        hygiene: Whether clips have to be left out by a hygiene file.
    """

    about: str
    side: Positive
    networks: dict[Name, Network]
    sets: list[Name] = []
    classes: list[Name] = []
    instances: list[Name] = []
    pairs: list[Name] = []
    cmmd: list[Name] = []
    reader: Name | None = None
    split: str = "test"
    reference: Literal["own", "train"] = "own"
    draws: Positive = 1
    seed: Annotated[int, Meta(ge=0, le=2**62)] = 0
    class_ks: tuple[Positive, ...] = (1, 5)
    instance_ks: tuple[Positive, ...] = (1, 10)
    kid_subset: Amount = 0
    kid_subsets: Positive = 100
    neighbours: Positive = 5
    resamples: Positive = 1000
    set_resamples: Amount = 100
    class_count: Positive | None = None
    hygiene: bool = False

    def fingerprint(self, networks: dict[str, str]) -> str:
        """Hash of all that changes a figure: itself, with the fingerprints of networks for where they lie.

        Args:
            networks: Fingerprint of each network.
        """
        plain = msgspec.to_builtins(self)
        plain.pop("about")
        for name, network in plain["networks"].items():
            network["source"] = networks[name]
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def path_of(name: str) -> Path:
    """File of a protocol: itself, or the one of that name in the repository."""
    path = Path(name)
    return path if path.suffix in (".yaml", ".yml") else FOLDER / f"{name}.yaml"


def read(name: str) -> Protocol:
    """A protocol by its name or file.

    Raises:
        InputError: If there is none, it is no YAML, a key is unknown or a value out of its range, or it uses
            a network that it does not name.
    """
    path = defaults.located(path_of(name))
    if path.parent == FOLDER and not path.is_file():
        known = ", ".join(sorted(found.stem for found in defaults.located(FOLDER).glob("*.yaml")))
        raise InputError(f"protocol {name!r} is unknown; choose one of {known}, or name a file")
    text = content(path, _REMEDY, _LARGEST_BYTES)
    try:
        protocol = msgspec.convert(yaml.safe_load(text), Protocol)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: no YAML ({' '.join(str(error).split())[:200]}); {_REMEDY}") from None
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}; {_REMEDY}") from None
    _check(protocol, path)
    return protocol


def with_changes(protocol: Protocol, sources: dict[str, str], **changes: object) -> Protocol:
    """A protocol with what a command line says otherwise.

    Args:
        protocol: The protocol.
        sources: Folder or file of some of its networks.
        changes: New values of its attributes; None keeps one.

    Raises:
        InputError: If a source is of a network that it does not have.
    """
    if unknown := sources.keys() - protocol.networks.keys():
        known = ", ".join(protocol.networks)
        raise InputError(f"--network {min(unknown)}: the protocol has {known}; name one of these")
    networks = {
        name: msgspec.structs.replace(network, source=sources.get(name, network.source))
        for name, network in protocol.networks.items()
    }
    new = {name: value for name, value in changes.items() if value is not None}
    return msgspec.structs.replace(protocol, networks=networks, **new)


def _check(protocol: Protocol, path: Path) -> None:
    used = {
        "sets": protocol.sets,
        "classes": protocol.classes,
        "instances": protocol.instances,
        "pairs": protocol.pairs,
        "cmmd": protocol.cmmd,
        "reader": [protocol.reader] if protocol.reader else [],
    }
    for use, names in used.items():
        for name in names:
            if name not in protocol.networks:
                raise InputError(f"{path}: {use} names {name!r}, which networks does not; add it there")
            if (protocol.networks[name].kind == "reader") != (use == "reader"):
                raise InputError(f"{path}: {use} names {name!r}, a {protocol.networks[name].kind}; {_REMEDY}")
    if idle := protocol.networks.keys() - {name for names in used.values() for name in names}:
        raise InputError(f"{path}: nothing uses the network {min(idle)!r}; remove it, or say what it is for")
    for name, network in protocol.networks.items():
        if network.kind in ("timm", "clip") and network.name is None:
            raise InputError(f"{path}: networks.{name} is of kind {network.kind}; add its name")
        if network.kind in ("judge", "encoder", "reader") and network.source is None:
            raise InputError(f"{path}: networks.{name} is of kind {network.kind}; add its source, a folder")
        if network.kind == "clip" and "{}" not in network.template:
            raise InputError(f"{path}: networks.{name}.template has no {{}}; add it for the class")
