"""Checkpoints: written whole or not at all, with a checksum; read without running code.

What is damaged, no state of a run, or the state of another recipe or of other data, is told in one line
before anything goes on from it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fsspec
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from torch import Tensor, nn

from sound2scene import files
from sound2scene.types import DivergedError, InputError

CHECKSUM = "sha256"
ORIGIN = "sound2scene"
LARGEST = 1e10  # no weight of a network that learns; float32 keeps nothing of a step there
_REMEDY = "take another checkpoint, or start anew without one"


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, on its own disk, syncs and replaces: the state before stays until then.

    Lightning's own writer goes through the temporary folder, and copies where that is another disk.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write a state with its checksum.

        Raises:
            DivergedError: If a weight is NaN, infinite or beyond all use; the file that is there stays.
            InputError: If it cannot be written.
        """
        if fault := _fault(checkpoint):
            raise DivergedError(
                f"step {checkpoint.get('global_step')}: {fault}; no checkpoint was written, the one before "
                "stays; lower the learning rate"
            )
        whole = checkpoint | {CHECKSUM: checksum(checkpoint)}
        if "://" in str(path):  # object stores show a file when it is whole
            super().save_checkpoint(whole, path, storage_options)
            return
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.sweep(path.parent)
            with files.replacing(path, sync=True) as partial, partial.open("wb") as file:
                torch.save(whole, file)
        except (OSError, RuntimeError) as error:
            # Where the disk is full, torch's writer stumbles once more while it closes the archive.
            reason = error if isinstance(error, OSError) else error.__context__
            if not isinstance(reason, OSError):
                raise
            raise InputError(
                f"{path}: cannot be written ({reason}); free space; the state before, if any, is still there"
            ) from None


def read(path: str) -> dict[str, Any]:
    """A checkpoint, on the CPU, its tensors mapped where the file is local.

    Args:
        path: File, or any address that fsspec opens.

    Raises:
        InputError: If it is missing, damaged, would run code, or is no checkpoint of a run.
    """
    is_local = "://" not in path
    if is_local and not Path(path).is_file():
        raise InputError(f"{path}: no such checkpoint; check ckpt_path")
    try:
        if is_local:
            found: Any = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
        else:
            with fsspec.open(path, "rb") as file:
                found = torch.load(io.BytesIO(file.read()), map_location="cpu", weights_only=True)
    except Exception:  # what a damaged archive raises depends on where it is cut
        raise InputError(f"{path}: damaged, or it would run code, which is refused; {_REMEDY}") from None
    if not isinstance(found, dict) or not isinstance(found.get("state_dict"), dict) or "loops" not in found:
        kind = "a state dict" if isinstance(found, dict) else f"a {type(found).__name__}"
        raise InputError(f"{path}: holds {kind} and no state of a run; {_REMEDY}")
    if found.get(CHECKSUM) is None or not isinstance(found.get(ORIGIN), dict):
        raise InputError(f"{path}: not written by `sound2scene fit`; {_REMEDY}")
    stated = found.pop(CHECKSUM)
    if stated != checksum(found):
        raise InputError(f"{path}: damaged or changed, its checksum differs; {_REMEDY}")
    return found


def check_fits(checkpoint: Mapping[str, Any], network: nn.Module, path: str) -> None:
    """Refuse the state of another stage or of networks of another shape.

    Args:
        checkpoint: What :func:`read` gives.
        network: The stage that is to take its weights.
        path: File of the checkpoint, for the message.

    Raises:
        InputError: If it does not fit.
    """
    origin, wanted = checkpoint[ORIGIN], type(network).__name__
    if origin.get("stage") != wanted:
        raise InputError(
            f"{path}: a state of {origin.get('stage')}, and the recipe's model is {wanted}; {_REMEDY}"
        )
    own, given = network.state_dict(), checkpoint["state_dict"]
    for name in sorted(own.keys() | given.keys()):
        have, want = _shape(given.get(name)), _shape(own.get(name))
        if have != want:
            raise InputError(f"{path}: {name[:80]} is {have} there and {want} in the recipe; {_REMEDY}")


def check_resumes(
    checkpoint: Mapping[str, Any], model: Mapping[str, Any], data: Mapping[str, str], path: str
) -> None:
    """Refuse to go on with another model, loss or optimizer, or on other data.

    Args:
        checkpoint: What :func:`read` gives.
        model: The recipe's part `model`.
        data: Fingerprint of each split that the run opened.
        path: File of the checkpoint, for the message.

    Raises:
        InputError: If going on would not equal never having stopped.
    """
    origin = checkpoint[ORIGIN]
    for key, have, want in _differences(origin.get("model"), model, "model"):
        raise InputError(
            f"{path}: was trained with {key} {have} and the recipe says {want}; go on with the same, or "
            "start anew"
        )
    for split in sorted(origin.get("data", {}).keys() & data.keys()):
        if origin["data"][split] != data[split]:
            raise InputError(
                f"{path}: was trained on other data (split {split}, {origin['data'][split][:12]}, not "
                f"{data[split][:12]}); name the shards of that run, or start anew"
            )
    if not checkpoint.get("optimizer_states"):
        raise InputError(f"{path}: holds no state of an optimizer; {_REMEDY}")


def checksum(content: Any) -> str:
    """SHA-256 over everything in nested containers: types, keys, numbers, and each tensor's bytes."""
    digest = hashlib.sha256()
    _feed(digest, content)
    return digest.hexdigest()


def _feed(digest: Any, content: Any) -> None:
    if isinstance(content, Tensor):
        tensor = content.detach().cpu().contiguous()
        digest.update(f"tensor {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    elif isinstance(content, Mapping):
        digest.update(f"mapping {len(content)}".encode())
        for key, value in content.items():
            digest.update(repr(key).encode())
            _feed(digest, value)
    elif isinstance(content, (list, tuple)):
        digest.update(f"list {len(content)}".encode())
        for value in content:
            _feed(digest, value)
    else:
        assert content is None or isinstance(content, (bool, int, float, str, bytes)), (
            f"a checkpoint holds plain values, not a {type(content).__name__}"
        )
        digest.update(repr(content).encode(errors="surrogatepass"))


def _fault(checkpoint: Mapping[str, Any]) -> str | None:
    for name, tensor in checkpoint.get("state_dict", {}).items():
        if isinstance(tensor, Tensor) and tensor.is_floating_point():
            if not torch.isfinite(tensor).all():
                return f"{name} holds NaN or infinity"
            if tensor.numel() and tensor.abs().max() > LARGEST:
                return f"{name} has grown to {tensor.abs().max().item():.0e}"
    for state in checkpoint.get("optimizer_states", []):
        for values in state.get("state", {}).values():
            if any(
                isinstance(value, Tensor) and not torch.isfinite(value).all() for value in values.values()
            ):
                return "the optimizer's state holds NaN or infinity"
    return None


def _shape(tensor: object) -> str:
    return "x".join(map(str, tensor.shape)) or "one number" if isinstance(tensor, Tensor) else "missing"


def _differences(have: object, want: object, key: str) -> Any:
    """Key and both values, shortened, of what differs first in nested plain data."""
    if isinstance(have, Mapping) and isinstance(want, Mapping):
        for name in [*want, *(other for other in have if other not in want)]:
            yield from _differences(have.get(name), want.get(name), f"{key}.{name}")
    elif have != want:
        yield key, repr(have)[:60], repr(want)[:60]
