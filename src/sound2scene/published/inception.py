"""An Inception-v3 in torchvision's layout as a judge, such as that of Sound2Scene's own figures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from sound2scene import artifacts
from sound2scene.images import MEAN, STD
from sound2scene.models.judge import Judge
from sound2scene.published.checkpoint import Published, obtained
from sound2scene.types import InputError
from sound2scene.weights import fill, state_of

# The file that Sound2Scene's `README.md` links for its FID and inception score, past the page on which Google
# Drive asks back before it gives a large file.
INCEPTION = Published(
    "https://drive.usercontent.google.com/download"
    "?id=1GbZ25SShTssQ-G5Ynhzsjwz6QkPWWQNm&export=download&confirm=t",
    "sound2scene-inception.pth",
    "Inception-v3 weights: those published by Sound2Scene come without a stated licence and learned from "
    "ImageNet and VGGSound, whose own terms apply; for any other file ask whoever gave it to you.",
)
Pixels = Literal["torchvision", "imagenet"]
_FIRST = "backbone.Conv2d_1a_3x3"
_AUXILIARY = "AuxLogits."  # a second classifier that only helps training


def import_judge(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    classes: str | os.PathLike[str] | None = None,
    pixels: Pixels = "torchvision",
) -> Path:
    """Write an Inception-v3 with any number of classes as a judge artifact.

    The file is a state dict under the names of `torchvision.models.inception_v3`, bare or inside a training
    checkpoint; the auxiliary classifier is left out.

    Args:
        source: A file, an http or https address, or "published" for the authors' address.
        folder: Where the artifact is written.
        classes: Text file of the class names, one a line, in the order of the scores; without it the card
            names none.
        pixels: What the network was trained on: "torchvision" are values from -1 to 1, to which torchvision's
            class brings pictures when it starts from its own weights; "imagenet" has ImageNet's mean and
            deviation taken out alone. The file does not say.

    Returns:
        The folder. Its card holds the licence notice, which a command prints.

    Raises:
        InputError: If the source cannot be had, needs pickle, is damaged, or has another layout, or the
            number of class names is not that of the scores.
    """
    names = _names(Path(classes)) if classes is not None else []
    with obtained(source, INCEPTION) as (path, origin):
        given = {name.removeprefix("model."): tensor for name, tensor in state_of(path).items()}
        left_out = sorted(name for name in given if name.startswith(_AUXILIARY))
        weight = given.get("fc.weight")
        if weight is None or weight.dim() != 2:
            raise InputError(
                f"{path}: not the expected layout: no classifier 'fc.weight'; give torchvision's Inception-v3"
            )
        if names and len(names) != len(weight):
            raise InputError(
                f"{classes}: names {len(names)} classes and {path} has {len(weight)}; give one line for each"
            )
        network = Judge(len(weight))
        fill(network, {_own(name): given[name] for name in given.keys() - set(left_out)}, path)
    if pixels == "torchvision":
        _take_imagenet_pixels(network)
    notes = {"classes": names, "pixels": pixels, "left_out": left_out}
    card = {"kind": "judge", "licence": INCEPTION.licence, "source": origin, "notes": notes}
    return artifacts.save(network, folder, card=card)


def _own(name: str) -> str:
    """The judge's name of a tensor."""
    return f"classifier.{name.removeprefix('fc.')}" if name.startswith("fc.") else f"backbone.{name}"


def _take_imagenet_pixels(network: Judge) -> None:
    """Let a network that was trained on values from -1 to 1 take what a judge is given.

    The change is linear in each channel, and the first convolution has no border: its weights take the
    factor, and the mean of the batch norm after it the rest, so that nothing else changes.
    """
    state = network.state_dict()
    scale_C = torch.tensor(STD, dtype=torch.float64) / 0.5
    shift_C = (torch.tensor(MEAN, dtype=torch.float64) - 0.5) / 0.5
    weight: Tensor = state[f"{_FIRST}.conv.weight"]
    weight_OCHW, mean_O = weight.double(), state[f"{_FIRST}.bn.running_mean"]
    moved_O = (weight_OCHW * shift_C[:, None, None]).sum((1, 2, 3))
    mean_O.copy_(mean_O.double() - moved_O)
    weight.copy_(weight_OCHW * scale_C[:, None, None])


def _names(path: Path) -> list[str]:
    """The lines of a file that are not empty."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path}: no readable text file; give one with a class name a line") from None
    names = [line.strip() for line in lines if line.strip()]
    if not names or len(set(names)) != len(names):
        raise InputError(f"{path}: has no class names, or one twice; give a different one on each line")
    return names
