"""From a card to its network: which classes may be built, within which bounds, and what names their weights.

A card is untrusted input. Of each kind of artifact a closed list of classes is built, none of which opens a
file or the network; a user's own classes only where the user has named their package (:func:`admit`).
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as registration
from torch.overrides import TorchFunctionMode

from sound2scene.types import InputError

CLASSES = {
    "audio-encoder": "sound2scene.models.audio_encoder.AudioEncoder",
    "image-encoder": "sound2scene.models.image_encoder.ImageEncoder",
    "generator": "sound2scene.models.biggan.Generator",
    "discriminator": "sound2scene.models.discriminator.Discriminator",
    "localizer": "sound2scene.models.localizer.Localizer",
    "judge": "sound2scene.models.judge.Judge",
    "reader": "sound2scene.models.reader.Reader",
    "manifold-autoencoder": "sound2scene.models.manifold_autoencoder.ManifoldAutoencoder",
    "manifold-audio": "sound2scene.models.manifold_audio.ManifoldAudio",
    "s2i-audio": "sound2scene.models.s2i_audio.AudioAutoencoder",
    "s2i-generator": "sound2scene.models.s2i_generator.DenseGenerator",
}
_ADMITTED: set[str] = set()
_FILLINGS = {Tensor.normal_, Tensor.uniform_}


def admit(*packages: str) -> None:
    """Let cards name classes of these packages too, for as long as this process lives.

    Building such a class runs its package's code, so name what you trust alone.

    Args:
        packages: Dotted names of packages or modules, such as `mine.networks`.

    Raises:
        InputError: If a name is no dotted name.
    """
    for package in packages:
        if not all(part.isidentifier() for part in package.split(".")):
            raise InputError(f"{package!r} is no name of a package; give it as in `import {package}`")
        _ADMITTED.add(package)


def class_path(network: nn.Module) -> str:
    """Dotted path of a network's class."""
    return f"{type(network).__module__}.{type(network).__qualname__}"


def class_of(path: str, kind: str, name: str) -> type[nn.Module]:
    """The class that a card names.

    Args:
        path: Dotted path of the class.
        kind: Kind of the artifact.
        name: What an error calls the card.

    Raises:
        InputError: If it is not the class of this kind, and its package was not admitted.
    """
    package, _, attribute = path.rpartition(".")
    is_admitted = any(f"{package}.".startswith(f"{admitted}.") for admitted in _ADMITTED)
    if not is_admitted and CLASSES.get(kind) != path:
        raise InputError(
            f"{name}: class {path[:200]!r} is no network of kind {kind[:80]!r} of ours; where you trust its "
            "code, name its package with --admit, or run.admit in a recipe"
        )
    try:
        found = getattr(importlib.import_module(package), attribute, None)
    except ImportError as error:
        raise InputError(
            f"{name}: class {path!r} cannot be imported ({error}); add it to PYTHONPATH"
        ) from None
    if isinstance(found, type) and issubclass(found, nn.Module):
        return found
    raise InputError(f"{name}: class {path!r} is no torch.nn.Module; mend 'class_path'")


def fingerprint(network: nn.Module) -> str:
    """SHA-256 of a network: its class, its constructor arguments if it states them, and every tensor.

    A tensor enters with its name, dtype, shape and bytes. The hash does not depend on the device, the mode
    (train or eval) or the order of the state dict, and changes with any bit of any tensor; caches of the
    network's outputs are kept under it. The arguments count because they can change what a network computes
    without changing a tensor (`final_relu`).
    """
    arguments = getattr(network, "arguments", {})
    digest = hashlib.sha256(json.dumps([class_path(network), arguments], sort_keys=True).encode())
    for name, tensor in sorted(tensors_of(network).items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """The state dict on the CPU, as tensors that share no memory."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}


def fault_of(tensors: Mapping[str, Tensor]) -> str | None:
    """What keeps tensors from being weights: half or double precision, NaN, infinity; None if nothing."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            return f"{name} is {str(tensor.dtype).removeprefix('torch.')}, weights are kept in float32"
        if not torch.isfinite(tensor).all():
            return f"{name} holds NaN or infinity"
    return None


def build(
    network_class: type[nn.Module], arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> nn.Module:
    """A network with these tensors, if possible without random ones first (orthogonal ones take 20 s).

    Raises:
        ValueError: If the arguments ask for more than the tensors fill, or for other tensors.
        Exception: What the constructor raises.
    """
    with _no_more_than(len(tensors)):
        try:
            with torch.device("meta"), _NoRandomValues():
                network = network_class(**arguments)
        except RuntimeError:  # the constructor needs the value of a tensor
            network = network_class(**arguments)
        expected = network.state_dict()
        _check_same(expected, tensors)
        # A buffer that is not in the state dict has to be computed by the constructor.
        if any(name not in expected and buffer.is_meta for name, buffer in network.named_buffers()):
            network = network_class(**arguments)
    # Clones, because these tensors are a view of the file.
    network.load_state_dict({name: tensor.clone() for name, tensor in tensors.items()}, assign=True)
    return network


class _NoRandomValues(TorchFunctionMode):
    """Leaves out what fills tensors at random: without memory there is nothing to fill.

    Torch would work out the shape of each filling in Python, which takes as long as the rest of the network.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call what is no filling of a tensor without memory, and hand back the tensor of what is."""
        is_left_out = func in _FILLINGS and args[0].is_meta
        return args[0] if is_left_out else func(*args, **(kwargs or {}))


def _check_same(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    both = expected.keys() & given.keys()
    faults = {
        "missing": expected.keys() - given.keys(),
        "unexpected": given.keys() - expected.keys(),
        "of another shape": {name for name in both if expected[name].shape != given[name].shape},
    }
    for fault, names in faults.items():
        if names:
            raise ValueError(f"{len(names)} tensors are {fault}, such as {min(names)[:80]}")


@contextmanager
def _no_more_than(tensors: int) -> Iterator[None]:
    """Stop a constructor that makes far more than a file of so many tensors can fill.

    A card may ask for a million layers. Lists of settings, activations and the like hold no tensor: each
    tensor may come with twenty of them.
    """
    parts = 0

    def count(*_: object) -> None:
        nonlocal parts
        parts += 1
        if parts > 1000 + 20 * tensors:
            raise ValueError(f"asks for far more than the {tensors} tensors of its weights")

    hooks = [
        registration.register_module_module_registration_hook(count),
        registration.register_module_parameter_registration_hook(count),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
