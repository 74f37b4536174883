"""The networks of a protocol, loaded once for all methods."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sound2scene import artifacts
from sound2scene.evaluation.protocol import Network, Protocol
from sound2scene.models.clip import ClipExtractor
from sound2scene.models.extractors import EncoderExtractor, InceptionExtractor, TimmExtractor
from sound2scene.models.reader import Reader
from sound2scene.protocols import Loading, Measuring
from sound2scene.types import InputError, Measured, Scene


class Seeing(NamedTuple):
    """A network that looks at pictures.

    Attributes:
        module: The network.
        protocol: What a figure's name says of it: network and size.
        fingerprint: Fingerprint of its weights and of what it is asked.
        column_K: Column of its scores for each class of the dataset; None where it does not tell classes.
    """

    module: nn.Module
    protocol: str
    fingerprint: str
    column_K: Tensor | None

    def measure(self, pixels_BCHW: Tensor) -> Measured:
        """Features and scores of uint8 pictures; see `protocols.Measuring`."""
        assert isinstance(self.module, Measuring)
        return self.module.measure(pixels_BCHW)


class SceneReader(nn.Module):
    """A reader as a measure: its features are what it reads, a row of numbers for each picture.

    Args:
        reader: The reader.
    """

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self.reader, self.protocol = reader, reader.protocol
        self.feature_dim = reader.classes * 4 + 1

    def measure(self, pixels_BCHW: Tensor) -> Measured:
        """Kinds, their places and the background of uint8 pictures, (B, 4 K + 1); no scores."""
        return Measured(rows_of(self.reader.read(pixels_BCHW)), None)


def rows_of(scene: Scene) -> Tensor:
    """Scenes as rows of numbers, (B, 4 K + 1)."""
    parts = (scene.present_BK, scene.place_BK3.flatten(1), scene.background_B[:, None].float())
    return torch.cat(parts, dim=1)


def scene_of_rows(row_BD: Tensor) -> Scene:
    """The inverse of :func:`rows_of`."""
    kinds = (row_BD.shape[1] - 1) // 4
    present_BK, place_BN, background_B1 = torch.split(row_BD, [kinds, 3 * kinds, 1], dim=1)
    return Scene(present_BK, place_BN.view(-1, kinds, 3), background_B1[:, 0].long())


def networks_of(protocol: Protocol, classes: Sequence[str], device: torch.device) -> dict[str, Seeing]:
    """The networks of a protocol, frozen, on a device.

    Args:
        protocol: The protocol.
        classes: Class names of the dataset.
        device: Where they are to look.

    Raises:
        InputError: If weights are missing or cannot be read, or a network whose scores are asked for does not
            know a class of the dataset.
    """
    found = {}
    for name, network in protocol.networks.items():
        module, known = _made(network, classes)
        if isinstance(module, Loading):
            module.load()
        module.eval().requires_grad_(False)
        asked = json.dumps([network.kind, network.template, known if network.kind == "clip" else None])
        fingerprint = f"{artifacts.fingerprint(module)}{'' if network.kind != 'clip' else asked}"
        column_K = _columns(name, known, classes) if name in protocol.classes else None
        found[name] = Seeing(module.to(device), str(module.protocol), fingerprint, column_K)
    return found


def _made(network: Network, classes: Sequence[str]) -> tuple[nn.Module, list[str]]:
    """A network and the classes that its scores are of."""
    source = network.source or ""
    if network.kind == "judge":
        card = artifacts.read_card(source)
        return artifacts.load(source, kind="judge"), list(card.origin.notes.get("classes", []))
    if network.kind == "reader":
        reader = artifacts.load(source, kind="reader")
        assert isinstance(reader, Reader), "the only class of its kind"
        return SceneReader(reader), []
    if network.kind == "encoder":
        return EncoderExtractor(source), []
    if network.kind == "inception":
        return InceptionExtractor(network.source), []
    if network.kind == "timm":
        return TimmExtractor(network.name or "", network.source), []
    clip = ClipExtractor(network.name or "", network.source, list(classes), network.template)
    return clip, list(classes)


def _columns(name: str, known: list[str], classes: Sequence[str]) -> Tensor:
    number = {one: column for column, one in enumerate(known)}
    if missing := [one for one in classes if one not in number]:
        raise InputError(
            f"network {name}: knows {len(known)} classes, but not {missing[0]!r} of the dataset; give one "
            "that learned its classes"
        )
    return torch.tensor([number[one] for one in classes], dtype=torch.long)
