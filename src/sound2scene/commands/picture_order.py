"""What `generate` is asked for: sounds from paths, folders and lists, settings, or a record to draw again."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypedDict

from sound2scene import defaults
from sound2scene.commands.model_choice import chosen

if TYPE_CHECKING:
    from sound2scene.commands.picture_record import PictureRecord

Layout = Literal["files", "strip", "grid"]


class Settings(TypedDict):
    """How pictures are drawn, and how they lie in files."""

    seed: int
    draws: int
    truncation: float
    layout: Layout


USUAL = Settings(seed=0, draws=8, truncation=1.0, layout="strip")
USUAL_KIND, PAIR = "sound2scene", ("audio_encoder", "generator")
NETWORKS = (Path(defaults.AUDIO_ENCODER), Path(defaults.GENERATOR))


class Asked(NamedTuple):
    """A sound of which pictures are wanted.

    Attributes:
        path: Its file.
        name: What to call it.
        sha256: Checksum that the file must have; None where any will do.
    """

    path: Path
    name: str
    sha256: str | None = None


class DrawnBy(NamedTuple):
    """What draws.

    Attributes:
        kind: Kind of the method; see `sound2scene.methods.named.KINDS`.
        networks: Folder of each of its artifacts, by its key.
        is_given: Whether anything of that was asked for.
    """

    kind: str
    networks: dict[str, Path]
    is_given: bool


class Order(NamedTuple):
    """What is to be drawn, how, by what and where.

    Attributes:
        asked: The sounds.
        settings: How.
        by: By what.
        device: Where, as torch names it.
        record: What was drawn before, where it is to be drawn again.
    """

    asked: list[Asked]
    settings: Settings
    by: DrawnBy
    device: str | None
    record: PictureRecord | None = None


def drawn_by(word: str | None, audio_encoder: Path, generator: Path, model: str | None = None) -> DrawnBy:
    """What draws, as it was asked for.

    Args:
        word: Word of a method, or None.
        audio_encoder: Artifact of the audio encoder, where no word is given.
        generator: Artifact of the generator.
        model: Name of a model whose networks stand for those that are not named; see `model_choice`.

    Raises:
        InputError: If the word is none, the model cannot be had, or artifacts are named beside it.
    """
    pair = (audio_encoder, generator)
    if word is None:
        networks = chosen(model, audio_encoder=audio_encoder, generator=generator)
        return DrawnBy(USUAL_KIND, networks, tuple(networks.values()) != NETWORKS)
    from sound2scene.methods.named import read_word
    from sound2scene.types import InputError

    if pair != NETWORKS or model is not None:
        raise InputError(
            f"--method {word}: names its artifacts itself, as in sound2scene:generator=FOLDER; leave out "
            "--model, --audio-encoder and --generator"
        )
    read = read_word(word)
    return DrawnBy(read.kind, {key: Path(value) for key, value in read.settings.items()}, True)


def sounds_of(paths: Sequence[Path] | None, list_file: Path | None = None) -> list[Asked]:
    """The sounds that paths name, in their order; those of a folder sorted by their paths.

    Args:
        paths: Files, which are taken whatever they are called, and folders, which are searched for files with
            the endings of sounds and videos.
        list_file: Text file with one more path on each line, relative ones as typed in a command; empty lines
            are left out.

    Raises:
        InputError: If there is none, or a folder or the list cannot be read or holds none.
    """
    from sound2scene.data.video.find import SUFFIXES
    from sound2scene.folders import SOUNDS, walked
    from sound2scene.records import content
    from sound2scene.types import InputError

    named = list(paths or ())
    if list_file is not None:
        text = os.fsdecode(content(list_file, "give a text file with a path on each line"))
        lines = (line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n"))
        named += [Path(line) for line in lines if line.strip()]
    asked: list[Asked] = []
    for path in named:
        found = [path]
        if path.is_dir():
            found = sorted(file for file in walked(path) if file.suffix.lower() in (*SOUNDS, *SUFFIXES))
            if not found:
                raise InputError(f"{path}: no sound ({', '.join(SOUNDS)}) and no video in it; check the path")
        asked += [Asked(file, file.stem) for file in found]
    if not asked:
        where = f"{list_file}: empty" if list_file is not None else "generate: no sounds"
        raise InputError(f"{where}; give files, folders, --list FILE, or --again pictures.json")
    return asked


def ordered_again(path: Path, order: Order, more: bool) -> Order:
    """The order that a record was written of.

    Args:
        path: The `pictures.json`.
        order: What was asked for beside it; artifacts that lie elsewhere today may be named.
        more: Whether other sounds were named, too.

    Raises:
        InputError: If the record cannot be read, or something else was asked for.
    """
    from sound2scene.commands.picture_record import read_record
    from sound2scene.types import InputError

    if more:
        raise InputError(f"--again {path}: draws the sounds that it names; leave out files and --list")
    record = read_record(path)
    settings = Settings(
        seed=record["seed"], draws=record["draws"], truncation=record["truncation"], layout=record["layout"]
    )
    asked_for, usual, drawn = (list(one.items()) for one in (order.settings, USUAL, settings))
    for (name, value), (_, default), (_, before) in zip(asked_for, usual, drawn, strict=True):
        if value not in (default, before):
            raise InputError(f"--{name} {value}: --again draws with {before}, as {path} says; leave it out")
    base = Path(record["cwd"])
    asked = [Asked(base / one["file"], one["name"], one["sha256"]) for one in record["sounds"]]
    return Order(asked, settings, _by_again(path, record, order.by), order.device or record["device"], record)


def _by_again(path: Path, record: PictureRecord, by: DrawnBy) -> DrawnBy:
    """What drew a record's pictures, in the folders where it lies today."""
    from sound2scene.commands.picture_record import method_in
    from sound2scene.methods.named import KINDS
    from sound2scene.types import InputError

    before = method_in(record)
    usual = KINDS[before["kind"]].keys if before["kind"] in KINDS else None
    if usual is None or usual.keys() != before["networks"].keys():
        raise InputError(
            f"{path}: drawn by {before['kind'][:40]!r}, which this version cannot draw again; draw anew"
        )
    if by.is_given and by.kind != before["kind"]:
        raise InputError(
            f"--method {by.kind}: --again draws with {before['kind']}, as {path} says; leave it out"
        )
    networks = {key: Path(record["cwd"]) / network["folder"] for key, network in before["networks"].items()}
    if by.is_given:
        moved = {key: folder for key, folder in by.networks.items() if str(folder) != usual[key]}
        networks |= moved
    return DrawnBy(before["kind"], networks, by.is_given)


def check_same(order: Order, fingerprints: Mapping[str, str]) -> None:
    """Refuse other networks than a record's; say on standard error where other software may move a pixel.

    Args:
        order: What is to be drawn again.
        fingerprints: Those of the networks at hand, by key.

    Raises:
        InputError: If a network is another one.
    """
    from sound2scene.commands.picture_record import method_in, other_versions
    from sound2scene.types import InputError

    assert order.record is not None
    kind = order.by.kind
    for key, drawn in method_in(order.record)["networks"].items():
        if (found := fingerprints[key]) != drawn["fingerprint"]:
            option = f"--{key.replace('_', '-')}" if kind == USUAL_KIND else f"--method {kind}:{key}="
            raise InputError(
                f"{order.by.networks[key]}: has the fingerprint {found[:12]}, and the pictures were drawn "
                f"with {drawn['fingerprint'][:12]}; give {option} that one's folder"
            )
    if others := other_versions(order.record):
        words = f"drawn with {', '.join(others)}; pixels may differ in their last bits"
        print(f"sound2scene: {words}", file=sys.stderr)
