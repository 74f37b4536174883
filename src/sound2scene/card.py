"""The card of an artifact: what its network is, where it comes from, its figures and its terms of use."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sound2scene.types import InputError

FORMAT = 1
_TYPES: dict[str, Any] = {
    "kind": str,
    "class_path": str,
    "arguments": dict,
    "fingerprint": str,
    "preset": str | None,
    "metrics": dict,
    "licence": str | None,
    "versions": dict,
    "notes": dict,
}


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
        try:
            entries = json.loads(text)
        except (ValueError, RecursionError):
            raise InputError(f"{name}: not JSON; export or import the artifact again") from None
        if not isinstance(entries, dict) or entries.pop("format", None) != FORMAT:
            raise InputError(f"{name}: not a card of format {FORMAT}; export or import the artifact again")
        origin = {entry.name: entries.pop(entry.name) for entry in fields(Origin) if entry.name in entries}
        if unknown := sorted(entries.keys() - ({entry.name for entry in fields(cls)} - {"origin"})):
            raise InputError(f"{name}: key {unknown[0]!r} is unknown; remove it, or move it into 'notes'")
        for key, kind in _TYPES.items():
            if key in entries | origin and not isinstance((entries | origin)[key], kind):
                raise InputError(f"{name}: key {key!r} has a value of the wrong type; mend it")
        try:
            return cls(**entries, origin=Origin(**origin))
        except TypeError as error:
            raise InputError(f"{name}: a key is missing ({error}); add it") from None
