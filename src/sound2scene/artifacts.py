"""An artifact is a folder with one network: `weights.safetensors` and a readable `card.json`.

Stages meet only through artifacts. A card is untrusted input: loading builds only classes of
`sound2scene.models`, reads only safetensors, and refuses weights other than those the card was written for.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import platform
import re
import shutil
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sound2scene.card import FORMAT, Card
from sound2scene.protocols import Foldable
from sound2scene.types import InputError

WEIGHTS = "weights.safetensors"
CARD = "card.json"
OPTIMIZERS = "optimizers.safetensors"
_CLASS_PATH = re.compile(r"(sound2scene\.models(?:\.[a-z_][a-z0-9_]*)+)\.([A-Za-z_][A-Za-z0-9_]*)")
_CARD_BYTES = 1 << 20
_PACKAGES = ("sound2scene", "torch", "timm", "safetensors")


def fingerprint(network: nn.Module) -> str:
    """SHA-256 of a network: its class, its constructor arguments if it states them, and every tensor.

    A tensor enters with its name, dtype, shape and bytes. The hash does not depend on the device, the mode
    (train or eval) or the order of the state dict, and changes with any bit of any tensor; caches of the
    network's outputs are kept under it. The arguments count because they can change what a network computes
    without changing a tensor (`final_relu`).
    """
    arguments = getattr(network, "arguments", {})
    digest = hashlib.sha256(json.dumps([_class_path(network), arguments], sort_keys=True).encode())
    for name, tensor in sorted(_tensors(network).items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def save(
    network: nn.Module,
    folder: str | os.PathLike[str],
    *,
    card: Mapping[str, Any],
    arguments: dict[str, Any] | None = None,
) -> Path:
    """Write a network as an artifact, all or nothing.

    Args:
        network: A network of `sound2scene.models`, on any device.
        folder: Folder to write to; an artifact in it is replaced, any other non-empty folder is refused.
        card: Entries of the card by key of `Card`, at least `kind`; class, fingerprint, time and versions are
            filled in.
        arguments: Constructor arguments of the network; needed only if it has no attribute `arguments`.

    Returns:
        The folder.

    Raises:
        InputError: If the folder holds anything else or cannot be written, or the card has an unknown key or
            a value that JSON cannot hold.
    """
    assert not getattr(network, "is_folded", False), (
        "folded for inference: save the network that it was folded from"
    )
    folder = Path(folder).resolve()
    if folder.exists() and (
        not folder.is_dir() or {entry.name for entry in folder.iterdir()} - {WEIGHTS, CARD}
    ):
        raise InputError(f"{folder}: holds something other than an artifact; choose a new folder")
    stated = getattr(network, "arguments", arguments)
    assert arguments is None or arguments == stated, "the network would be built again with other arguments"
    filled = {
        "class_path": _class_path(network),
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
    whole = Card.from_json(text, str(folder / CARD))
    _class(whole, folder)
    _write(_tensors(network), whole, folder)
    return folder


def read_card(folder: str | os.PathLike[str]) -> Card:
    """The card of an artifact.

    Raises:
        InputError: If the folder is not an artifact or its card cannot be used.
    """
    path = Path(folder) / CARD
    if not path.is_file() or not (Path(folder) / WEIGHTS).is_file():
        raise InputError(
            f"{folder}: no artifact ({CARD}, {WEIGHTS}) there; check the path, or train or import it first"
        )
    if path.stat().st_size > _CARD_BYTES:
        raise InputError(
            f"{path}: larger than {_CARD_BYTES} bytes, not a card; export or import the artifact again"
        )
    return Card.from_json(path.read_bytes(), str(path))


def load(folder: str | os.PathLike[str], kind: str | None = None, fold: bool = True) -> nn.Module:
    """The network of an artifact, on the CPU, in eval mode, with parameters that require gradients.

    Args:
        folder: Folder of the artifact.
        kind: Kind that the card must state, such as "generator"; any by default.
        fold: Fold a network that can be folded, such as a generator. It is then faster and fit for inference
            only, and its tensors and fingerprint are no longer those of the card. Give False to train it
            further.

    Raises:
        InputError: If the artifact is missing, damaged or of another kind, or its weights and card do not
            match.
    """
    card = read_card(folder)
    if kind is not None and card.kind != kind:
        raise InputError(
            f"{folder}: holds a network of kind {card.kind!r}, not {kind!r}; give another artifact's path"
        )
    weights = Path(folder) / WEIGHTS
    try:
        tensors = load_file(weights)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{weights}: damaged ({error}); export or import the artifact again") from None
    try:
        network = _build(_class(card, Path(folder)), card.arguments, tensors)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{folder}: {reason}; export or import the artifact again") from None
    if fingerprint(network) != card.fingerprint:
        raise InputError(
            f"{folder}: {WEIGHTS} is not what {CARD} was written for (fingerprints differ); import it again"
        )
    network.eval()
    return network.folded() if fold and isinstance(network, Foldable) else network


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


def _build(
    network_class: type[nn.Module], arguments: dict[str, Any], tensors: dict[str, Tensor]
) -> nn.Module:
    """A network with these tensors, if possible without random ones first (orthogonal ones take 20 s)."""
    try:
        with torch.device("meta"):
            network = network_class(**arguments)
        # A buffer that is not in the state dict has to be computed by the constructor.
        whole = network.state_dict().keys() >= {name for name, _ in network.named_buffers()}
    except RuntimeError:  # the constructor needs the value of a tensor
        whole = False
    if not whole:
        network = network_class(**arguments)
    # Clones, because these tensors are a view of the file.
    network.load_state_dict({name: tensor.clone() for name, tensor in tensors.items()}, assign=True)
    return network


def _class_path(network: nn.Module) -> str:
    return f"{type(network).__module__}.{type(network).__qualname__}"


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    # Clones, because safetensors refuses tensors that share memory.
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}


def _class(card: Card, folder: Path) -> type[nn.Module]:
    match = _CLASS_PATH.fullmatch(card.class_path)
    try:
        found = getattr(importlib.import_module(match[1]), match[2], None) if match else None
    except ImportError:
        found = None
    if (
        isinstance(found, type)
        and issubclass(found, nn.Module)
        and found.__module__.startswith("sound2scene.models.")
    ):
        return found
    raise InputError(
        f"{folder / CARD}: class {card.class_path!r} is no network of sound2scene.models; mend 'class_path'"
    )


def _write(tensors: dict[str, Tensor], card: Card, folder: Path) -> None:
    """Write beside the folder, then swap the two; the old artifact comes back if that fails."""
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.partial")
    old = partial.with_suffix(".old")
    try:
        partial.mkdir(parents=True)
        save_file(tensors, partial / WEIGHTS)
        (partial / CARD).write_text(card.to_json(), encoding="utf-8")
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{folder}: cannot be written ({error}); free space or choose another folder"
        ) from None
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
