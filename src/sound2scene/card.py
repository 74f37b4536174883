"""The card of an artifact: what its network is, where it comes from, its figures and its terms of use."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from sound2scene.records import Record
from sound2scene.types import InputError

FORMAT = 1


@dataclass(frozen=True)
class Origin:
    """Where a network comes from.

    Attributes:
        recipe: Recipe that trained the network, or its name.
        commit: Commit of the code that trained it.
        data_fingerprint: Fingerprint of the training data.
        source: Origin of imported weights: address, sha256, bytes.
        created: Time at which the card was written, UTC, ISO 8601.
        versions: Versions of the packages that wrote it.
        notes: Anything else that JSON can hold.
    """

    recipe: dict[str, Any] | str | None = None
    commit: str | None = None
    data_fingerprint: str | None = None
    source: dict[str, Any] | None = None
    created: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Card:
    """What an artifact says of itself.

    As JSON it is flat: `format` and the keys of `Origin` stand beside the others.

    Attributes:
        kind: Purpose of the network: "audio-encoder", "image-encoder" ...
        class_path: Dotted path of the network's class, inside `sound2scene.models`.
        arguments: Constructor arguments of the network.
        fingerprint: `sound2scene.artifacts.fingerprint` of the network.
        preset: Name of the spectrogram or image preset that the network was trained with.
        metrics: Measured figures by name.
        licence: Known terms of use.
        origin: Where the network comes from.
    """

    kind: str
    class_path: str
    arguments: dict[str, Any]
    fingerprint: str
    preset: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    licence: str | None = None
    origin: Origin = Origin()

    def to_json(self) -> str:
        """The card as indented JSON text."""
        entries = asdict(self)
        origin = entries.pop("origin")
        return json.dumps({"format": FORMAT} | entries | origin, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, name: str) -> Card:
        """Read and check a card; an unknown key is refused, but `notes` takes anything.

        Args:
            text: JSON text of the card.
            name: Name of the card in an error message.

        Raises:
            InputError: If it is not JSON, or a key is missing, unknown or of the wrong type.
        """
        entries = _CARD.parse(text, name)
        known = {entry.name for entry in (*fields(cls), *fields(Origin))} - {"origin"} | {"format"}
        if unknown := sorted(entries.keys() - known):
            raise InputError(f"{name}: key {unknown[0]!r} is unknown; remove it, or move it into 'notes'")
        return replace(_NETWORK.convert(entries, name), origin=_ORIGIN.convert(entries, name))


_REMEDY = "export or import the artifact again"
_CARD = Record(dict[str, object], _REMEDY, FORMAT)
_NETWORK, _ORIGIN = Record(Card, _REMEDY), Record(Origin, _REMEDY)
