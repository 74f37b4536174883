"""Turn the published checkpoints into artifacts: the audio encoder of Sound2Scene and the ResNet-50 of SwAV.

A checkpoint is untrusted input: it is read with `weights_only=True`, so a file that would have to run code is refused.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sound2scene import artifacts, download, images
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.types import InputError


@dataclass(frozen=True)
class Published:
    """Where a published checkpoint lies, and what is known of its terms of use."""

    address: str
    name: str
    licence: str


# Address: Sound2Scene `README.md`. Its repository has no licence file (commit 2cc5fff).
SOUND2SCENE = Published(
    "https://drive.google.com/uc?export=download&id=1MfQo9Y6cBwSo9sYkwj2gG9kNa_1fuaUJ",
    "sound2scene.pth",
    "Sound2Scene weights: postech-ami/Sound2Scene, which published them, states no licence; its successor "
    "kaist-ami/Sound2Scene, which links the same file, puts its code under the MIT licence and is silent on weights. "
    "Trained on VGGSound (annotations CC BY 4.0, videos under their owners' rights). Ask the authors before other use "
    "than research.",
)
# Address: SwAV `README.md` and `hubconf.py`. Licence: its `LICENSE` (commit 06b1b7c).
SWAV = Published(
    "https://dl.fbaipublicfiles.com/deepcluster/swav_800ep_pretrain.pth.tar",
    "swav_800ep_pretrain.pth.tar",
    "SwAV weights: facebookresearch/swav is under Creative Commons Attribution-NonCommercial 4.0 (CC BY-NC 4.0): no "
    "commercial use, name the authors (Caron et al., arXiv:2006.09882). Trained on ImageNet, whose own terms apply.",
)
_SWAV_HEADS = ("projection_head.", "prototypes.")


def import_audio_encoder(
    source: str | os.PathLike[str], folder: str | os.PathLike[str], image_encoder: str | None = None
) -> Path:  # fmt: skip
    """Write the published audio encoder (`sound2scene.pth`: a bare state dict, 122 tensors `audnet.*`) as an artifact.

    Args:
        source: A file, an http or https address, or "published" for the authors' address.
        folder: The artifact.
        image_encoder: Artifact of the SwAV encoder to which it was aligned; the card then names it, so that a generator
            can be told to fit. The file itself does not say.

    Returns:
        The folder. Its card holds the licence notice, which a command prints.

    Raises:
        InputError: If the source cannot be had, needs pickle, is damaged, or has another layout.
    """
    path, origin = obtain(source, SOUND2SCENE)
    given = {name.removeprefix("audnet."): tensor for name, tensor in state_of(path).items()}
    # The inner ResNet has timm's names; only the linear layer lies outside the backbone here.
    inner = {name if name.startswith("fc.") else f"backbone.{name}": tensor for name, tensor in given.items()}
    network = AudioEncoder()
    fill(network, inner, path)
    card = {"kind": "audio-encoder", "preset": "paper", "licence": SOUND2SCENE.licence, "source": origin}
    if image_encoder:
        card["notes"] = {"image_encoder": artifacts.read_card(image_encoder).fingerprint}
    return artifacts.save(network, folder, card=card)


def import_swav(
    source: str | os.PathLike[str], folder: str | os.PathLike[str], preset: str = "squeeze"
) -> Path:  # fmt: skip
    """Write SwAV's ResNet-50 as an artifact, without its projection head and prototypes.

    Both layouts are read: the published `swav_*_pretrain.pth.tar` (a bare state dict, 328 tensors, `module.` before
    each name) and the training checkpoint `checkpoint.pth.tar` ({epoch, state_dict, optimizer, amp}).

    Args:
        source: A file, an http or https address, or "published" for the authors' 800-epoch weights.
        folder: The artifact.
        preset: Image chain for its card: `squeeze` as Sound2Scene uses these weights, `icgan128` as IC-GAN does.

    Returns:
        The folder. Its card holds the licence notice, which a command prints.

    Raises:
        InputError: If the source cannot be had, needs pickle, is damaged, or has another layout.
    """
    images.preset(preset)  # an unknown one is refused
    path, origin = obtain(source, SWAV)
    state = state_of(path)
    left_out = sorted(name for name in state if name.startswith(_SWAV_HEADS))
    network = ImageEncoder()
    fill(network, {f"backbone.{name}": state[name] for name in state.keys() - set(left_out)}, path)
    card = {
        "kind": "image-encoder",
        "preset": preset,
        "licence": SWAV.licence,
        "source": origin,
        "notes": {"left_out": left_out},
    }
    return artifacts.save(network, folder, card=card)


def obtain(source: str | os.PathLike[str], published: Published) -> tuple[Path, dict[str, Any]]:
    """The checkpoint as a local file, and where it came from."""
    address = published.address if source == "published" else os.fspath(source)
    if re.match(r"https?://", address):
        # A folder for each address, because siblings share their file name.
        cache = Path(os.environ.get("SOUND2SCENE_CACHE") or Path.home() / ".cache" / "sound2scene")
        name = published.name if address == published.address else None
        path = download.fetch(address, cache / hashlib.sha256(address.encode()).hexdigest()[:16], name=name)
    else:
        path = Path(address)
        if not path.is_file():
            raise InputError(f"{path}: no such file; give a checkpoint, its http address, or 'published'")
        address = path.name
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return path, {"address": address, "sha256": digest, "bytes": path.stat().st_size}


def state_of(path: Path) -> dict[str, Tensor]:
    """The state dict of a checkpoint, inside a training checkpoint or bare, without `module.` prefixes."""
    content = read(path)
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path}: holds no state dict; give a published checkpoint")
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise InputError(f"{path}: entry {str(name)[:80]!r} is not a tensor; give a published checkpoint")
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}


def read(path: Path) -> Any:
    """What a checkpoint holds.

    Raises:
        InputError: If it is damaged or would run code.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged archive raises depends on where it is cut
        if type(error).__name__ == "UnpicklingError":
            raise InputError(
                f"{path}: damaged, or it would run code, which is refused; save its weights alone"
            ) from None
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"{path}: not a readable checkpoint ({reason}); download it again") from None


def fill(network: nn.Module, given: dict[str, Tensor], path: Path) -> None:
    """Copy tensors into a network whose names and shapes they must have, one for one."""
    own = network.state_dict()
    both = own.keys() & given.keys()
    faults = {
        "missing": own.keys() - given.keys(),
        "unexpected": given.keys() - own.keys(),
        "of another shape": {name for name in both if own[name].shape != given[name].shape},
        "of another type": {n for n in both if own[n].is_floating_point() != given[n].is_floating_point()},
    }
    told = [f"{len(names)} {fault} ({_few(names)} ...)" for fault, names in faults.items() if names]
    if told:
        raise InputError(f"{path}: not the published layout: tensors {'; '.join(told)}; check which network it holds")
    for name, tensor in given.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{path}: tensor {name!r} holds NaN or infinity; download it again")
    network.load_state_dict(given, assign=True)


def _few(names: set[str]) -> str:
    """The first of them, on one line: a file may hold any names."""
    return ", ".join(repr(name)[1:-1][:80] for name in sorted(name.removeprefix("backbone.") for name in names)[:3])
