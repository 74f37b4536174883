"""Any network of timm as an image encoder, with the weights of timm's hub or of a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from PIL import Image
from torch import Tensor

from sound2scene import artifacts, images
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.published.checkpoint import described
from sound2scene.published.efficientnet_lite import LITE0, is_of_package, with_timms_names
from sound2scene.types import InputError
from sound2scene.weights import fill, state_of

_SIDE = 224
_PRESETS = ("centre_crop", "centre_crop_signed")


@dataclass(frozen=True)
class _Weights:
    """Tensors under timm's names, and what a card says of them."""

    state: Mapping[str, Tensor]
    source: dict[str, Any]
    licence: str | None
    left_out: tuple[str, ...] = ()


def import_timm(
    name: str,
    folder: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = None,
    preset: str | None = None,
) -> Path:
    """Write a network of timm without its classifier as an artifact.

    Args:
        name: What timm calls it, with or without the tag of some weights.
        folder: Where the artifact is written.
        weights: File of safetensors, or a checkpoint of torch, under timm's names or those of the package
            efficientnet-lite-pytorch; None downloads timm's own by the hub's library, into its cache.
        preset: Image chain for its card; None takes the one that normalises as timm says of these weights.

    Returns:
        The folder. Its card holds the terms of use where they are known.

    Raises:
        InputError: If timm does not know the name, the weights cannot be had, need pickle or belong to
            another network, or no preset prepares pictures as they expect it.
    """
    encoder = ImageEncoder(name)  # refuses the addresses that timm would follow
    facts: Any = timm.get_pretrained_cfg(name)
    preset = preset or _preset_of(name, facts)
    chain = images.preset(preset)
    found = _of_hub(name, facts) if weights is None else _of_file(Path(weights), name, encoder, facts)
    given = {f"backbone.{key}": _in_float32(tensor) for key, tensor in found.state.items()}
    fill(encoder, given, Path(weights or name))
    _try(encoder, name, preset, chain(Image.new("RGB", (_SIDE, _SIDE))))
    card = {
        "kind": "image-encoder",
        "preset": preset,
        "licence": found.licence,
        "source": found.source,
        "notes": {"left_out": found.left_out, "expected": _expected(facts)},
    }
    return artifacts.save(encoder, folder, card=card)


def _preset_of(name: str, facts: Any) -> str:
    """The preset that normalises as some weights expect it; resizing and cropping may differ."""
    mean, std, size = tuple(facts.mean), tuple(facts.std), tuple(facts.input_size)
    told = []
    if size != (3, _SIDE, _SIDE):
        told.append(f"pictures of {' x '.join(map(str, size))} and not 3 x {_SIDE} x {_SIDE}")
    fitting = [preset for preset in _PRESETS if images.normal_of(preset) == (mean, std)]
    if not fitting:
        told.append(f"mean {mean} and deviation {std}, which no preset has")
    if told:
        raise InputError(f"{name}: its weights expect {', '.join(told)}; choose one by --preset all the same")
    return fitting[0]


def _of_hub(name: str, facts: Any) -> _Weights:
    """Weights of timm's hub, as timm loads them."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    remedy = "give a file of them by --weights FILE"
    if not facts.hf_hub_id:
        raise InputError(f"{name}: timm's hub has no weights of it; {remedy}, or choose another network")
    try:
        network = timm.create_model(name, pretrained=True, num_classes=0, in_chans=3)
    except LocalEntryNotFoundError:
        raise InputError(f"{name}: timm's hub cannot be reached, and no copy is here; {remedy}") from None
    except Exception as error:  # of the hub, the network, the disk, the file: each library has its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{name}: no weights from timm's hub ({reason}); {remedy}") from None
    return _Weights(network.state_dict(), {"address": f"hf://{facts.hf_hub_id}"}, _licence(facts))


def _of_file(path: Path, name: str, encoder: ImageEncoder, facts: Any) -> _Weights:
    """Weights of a file without those of a classifier."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a file of weights by --weights FILE")
    state, own = state_of(path), encoder.backbone.state_dict().keys()
    if is_of_package(state):
        state = with_timms_names(state, own)
    heads = (facts.classifier,) if isinstance(facts.classifier, str) else tuple(facts.classifier or ())
    inside = tuple(f"{head}." for head in heads)
    left_out = tuple(sorted(key for key in state if key.startswith(inside) and key not in own))
    source = described(path, path.name)
    return _Weights(
        {key: state[key] for key in state.keys() - set(left_out)},
        source,
        _licence_of_file(name, facts, source["sha256"]),
        left_out,
    )


def _in_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _licence(facts: Any) -> str | None:
    stated = facts.license
    return None if stated in (None, "unknown") else f"{stated} (as timm says of its weights)"


def _licence_of_file(name: str, facts: Any, sha256: str) -> str | None:
    """Terms of a file; without a tag in the name nothing says that it holds the weights that timm means."""
    if sha256 == LITE0.sha256:
        return LITE0.licence
    return _licence(facts) if "." in name else None


def _expected(facts: Any) -> dict[str, Any]:
    """How pictures were prepared for timm's weights of a network, in the words of timm."""
    keys = ("architecture", "tag", "input_size", "mean", "std", "interpolation", "crop_pct")
    return {key: getattr(facts, key) for key in keys}


def _try(encoder: ImageEncoder, name: str, preset: str, image_CHW: Tensor) -> None:
    """Refuse a network that a picture of the preset does not pass, or that gives no vector for it."""
    try:
        with torch.no_grad():
            z_BD = encoder.eval()(image_CHW[None])
    except Exception as error:  # each network has its own way to dislike a size
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{name}: takes no picture of preset {preset!r} ({reason}); choose another"
        ) from None
    if z_BD.shape != (1, encoder.z_dim):
        raise InputError(
            f"{name}: gives {tuple(z_BD.shape)} for a picture and not (1, {encoder.z_dim}); "
            "choose another network"
        )
