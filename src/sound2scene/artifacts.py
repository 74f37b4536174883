"""An artifact is a folder with one network: `weights.safetensors` and a readable `card.json`.

Stages meet only through artifacts. A card is untrusted input: loading builds only the classes of
:mod:`sound2scene.networks`, reads only safetensors, and refuses weights other than those the card was written
for.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sound2scene import defaults, files, hub, networks
from sound2scene.card import FORMAT, Card
from sound2scene.protocols import Foldable
from sound2scene.types import InputError

WEIGHTS = "weights.safetensors"
CARD = hub.CARD
OPTIMIZERS = "optimizers.safetensors"
_CARD_BYTES = 1 << 20
_PACKAGES = ("sound2scene", "torch", "timm", "safetensors")
_TRIES = 20  # of a reader that an exchange gets in the way of

# Offered here, beside what they are needed for.
admit = networks.admit
fingerprint = networks.fingerprint


def save(
    network: nn.Module,
    folder: str | os.PathLike[str],
    *,
    card: Mapping[str, Any],
    arguments: dict[str, Any] | None = None,
) -> Path:
    """Write a network as an artifact, all or nothing.

    Args:
        network: Network with float32 weights, on any device.
        folder: Folder to write to; an artifact in it is replaced, any other non-empty folder is refused.
        card: Entries of the card, at least `kind`; class, fingerprint, time and versions are filled in.
        arguments: Constructor arguments of the network; needed only if it has no attribute `arguments`.

    Returns:
        The folder.

    Raises:
        InputError: If the folder holds anything else or cannot be written, the card has an unknown key or
            a value that JSON cannot hold, the network does not state its arguments, or a weight is NaN,
            infinite or not in float32.
    """
    assert not getattr(network, "is_folded", False), (
        "folded for inference: save the network that it was folded from"
    )
    folder = _free(folder)
    stated = getattr(network, "arguments", arguments)
    assert arguments is None or arguments == stated, "the network would be built again with other arguments"
    tensors = networks.tensors_of(network)
    if fault := networks.fault_of(tensors):
        raise InputError(f"{folder}: not written: {fault}; train with a mixed precision and a lower rate")
    _write(tensors, _filled(network, card, stated, folder), folder)
    return folder


def _filled(network: nn.Module, card: Mapping[str, Any], stated: Any, folder: Path) -> Card:
    if stated is None:
        raise InputError(
            f"{type(network).__name__} does not say how it was built; keep its constructor's arguments as a "
            "dictionary in its attribute `arguments`"
        )
    filled = {
        "class_path": networks.class_path(network),
        "arguments": stated,
        "fingerprint": fingerprint(network),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in _PACKAGES},
        "format": FORMAT,
    }
    try:
        text = json.dumps({**card, **filled}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"{folder / CARD}: {error}; give plain finite values") from None
    return Card.from_json(text, str(folder / CARD))


def copy(source: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Path:
    """Copy an artifact, all or nothing; one that is in the target folder is replaced.

    Raises:
        InputError: If the source is no artifact, or the target holds anything else or cannot be written.
    """
    card, folder = read_card(source), _free(folder)
    _write(_tensors(weights_of(defaults.located(source))), card, folder)
    return folder


def read_card(folder: str | os.PathLike[str]) -> Card:
    """The card of an artifact.

    Raises:
        InputError: If the folder is not an artifact or its card cannot be used.
    """
    folder = defaults.located(folder)
    path = folder / CARD
    for _ in range(_TRIES):
        files.recover(folder)
        with suppress(FileNotFoundError, NotADirectoryError):
            size = path.stat().st_size
            if size > _CARD_BYTES:
                raise InputError(
                    f"{path}: {size} bytes, and a card has {_CARD_BYTES} at most; export or import the "
                    "artifact again"
                )
            if path.is_file() and weights_of(folder).is_file():
                return Card.from_json(path.read_bytes(), str(path))
    raise InputError(
        f"{folder}: no artifact ({CARD}, {WEIGHTS}) there; check the path, or train or import it first"
    )


def weights_of(folder: Path) -> Path:
    """The file of an artifact's weights: ours, or as the hub names it."""
    ours, of_hub = folder / WEIGHTS, folder / hub.WEIGHTS
    return of_hub if of_hub.is_file() and not ours.is_file() else ours


def load(folder: str | os.PathLike[str], kind: str | None = None, fold: bool = True) -> nn.Module:
    """The network of an artifact, on the CPU, in eval mode, with parameters that require gradients.

    Args:
        folder: Folder of the artifact.
        kind: Kind that the card must state, such as "generator"; any by default.
        fold: Make it fast and fit for inference only: tensors in channels-last order, and what can be folded,
            such as a generator, folded; its tensors and fingerprint are then no longer those of the card.
            Give False to train it further.

    Raises:
        InputError: If the artifact is missing, damaged or of another kind, its weights and card do not
            match, a weight is NaN or infinite, or the card names a class that is not ours and was not
            admitted (see :func:`sound2scene.networks.admit`).
    """
    folder = defaults.located(folder)
    card = read_card(folder)
    if kind is not None and card.kind != kind:
        raise InputError(
            f"{folder}: holds a network of kind {card.kind!r}, not {kind!r}; give another artifact's path"
        )
    try:
        network = _network(folder, card)
    except InputError:
        if read_card(folder) == card:
            raise
        return load(folder, kind, fold)  # it was replaced while it was read
    if not fold:
        return network
    folded = network.folded() if isinstance(network, Foldable) else network
    return folded.to(memory_format=torch.channels_last)  # convolutions of a processor take half the time


def _network(folder: Path, card: Card) -> nn.Module:
    weights = weights_of(folder)
    tensors = _tensors(weights)
    if fault := networks.fault_of(tensors):
        raise InputError(f"{weights}: {fault}; train or import the artifact again")
    network_class = networks.class_of(card.class_path, card.kind, str(folder / CARD))
    try:
        network = networks.build(network_class, card.arguments, tensors)
    except (TypeError, ValueError, RuntimeError, AssertionError, OverflowError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{folder}: {reason}; export or import the artifact again") from None
    if fingerprint(network) != card.fingerprint:
        raise InputError(
            f"{folder}: {weights.name} is not what {CARD} was written for (fingerprints differ); "
            "import it again"
        )
    return network.eval()


def training_folder(folder: str | os.PathLike[str]) -> Path:
    """The folder beside a generator's artifact that holds what is needed to train it further.

    It may hold the artifacts `generator` (the live one) and `discriminator`, and `optimizers.safetensors`:
    Adam's moments as `<network>.<parameter>.<exp_avg|exp_avg_sq|step>`.
    """
    folder = Path(folder)
    return folder.with_name(f"{folder.name}-training")


def check_pair(card: Card, encoder_fingerprint: str, folder: str | os.PathLike[str]) -> None:
    """Refuse a network whose card names another image encoder than the one at hand, or none.

    Args:
        card: Card of a generator or an audio encoder; its notes hold the fingerprint of its `image_encoder`.
        encoder_fingerprint: Fingerprint of the image encoder at hand, as its card states it.
        folder: Folder of the network, for the error message.

    Raises:
        InputError: If the network and the image encoder do not belong together.
    """
    check_same_encoder(encoder_of(card, folder), encoder_fingerprint, folder)


def encoder_of(card: Card, folder: str | os.PathLike[str]) -> str:
    """Fingerprint of the image encoder to which a network belongs, as its card states it.

    Args:
        card: Card of the network.
        folder: Folder of the network, for the error message.

    Raises:
        InputError: If the card does not state it.
    """
    stated = card.origin.notes.get("image_encoder")
    if stated is None:
        raise InputError(
            f"{folder}: its card does not say to which image encoder it belongs; "
            "import it again with --image-encoder"
        )
    return str(stated)


def check_same_encoder(stated: str, expected: str, folder: str | os.PathLike[str]) -> None:
    """Refuse a network that belongs to the features of another image encoder.

    Args:
        stated: Fingerprint of the image encoder that the network belongs to.
        expected: Fingerprint of the image encoder at hand.
        folder: Folder of the network, for the error message.

    Raises:
        InputError: If the two differ.
    """
    if stated != expected:
        raise InputError(
            f"{folder}: belongs to image encoder {stated[:12]}, not to {expected[:12]}; "
            "take the pair that was trained together"
        )


def _free(folder: str | os.PathLike[str]) -> Path:
    """A folder that an artifact may be written to."""
    path = Path(folder).resolve()
    if path.exists() and (not path.is_dir() or {entry.name for entry in path.iterdir()} - {WEIGHTS, CARD}):
        raise InputError(f"{path}: holds something other than an artifact; choose a new folder")
    return path


def _tensors(weights: Path) -> dict[str, Tensor]:
    try:
        return load_file(weights)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{weights}: damaged ({error}); export or import the artifact again") from None


def _write(tensors: dict[str, Tensor], card: Card, folder: Path) -> None:
    """Write beside the folder, then swap the two."""
    try:
        with files.replacing_folder(folder) as partial:
            with files.replacing(partial / WEIGHTS, sync=True) as path:
                save_file(tensors, path)
            files.write(partial / CARD, card.to_json(), sync=True)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{folder}: cannot be written ({error}); free space or choose another folder"
        ) from None
