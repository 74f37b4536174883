"""The card of an artifact: what its network is, where it came from, what it reached, and on what terms it may serve."""

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
        recipe: Recipe that made it, or its name.
        commit: Commit of the code that made it.
        data_fingerprint: Fingerprint of the data that it was trained on.
        source: Where imported weights came from: address, sha256, bytes.
        created: Time of writing, UTC, ISO 8601.
        versions: Package versions that wrote it.
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
    """What an artifact says of itself. As JSON it is flat: the keys of `Origin` stand beside the others, and `format`.

    Attributes:
        kind: What the network is for: "audio-encoder", "image-encoder" ...
        class_path: Dotted path of its class, inside `sound2scene.models`.
        arguments: Constructor arguments.
        fingerprint: `sound2scene.artifacts.fingerprint` of the network.
        preset: Name of the spectrogram or image preset that it was trained with.
        metrics: Measured figures by name.
        licence: What is known of the terms of use.
        origin: Where it comes from.
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
        """Read and check a card. An unknown key is refused; `notes` takes anything.

        Args:
            text: JSON text.
            name: What an error message calls it.

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
