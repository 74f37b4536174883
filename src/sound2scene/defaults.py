"""The artifacts that commands and Python take where none is named, and where they lie."""

from __future__ import annotations

import os
from pathlib import Path

from sound2scene import hub

# In git; what `make train-align` leaves is artifacts/toy/audio-encoder.
AUDIO_ENCODER = "experiments/artifacts/toy/audio-encoder"
GENERATOR = "experiments/artifacts/toy/generator"
IMAGE_ENCODER = "experiments/artifacts/toy/image-encoder"
LOCALIZER = "experiments/artifacts/toy/localizer"
READER = "experiments/artifacts/toy/reader"
SOUNDS = "experiments/sounds"

# What `make train-manifold`, `train-s2i-audio` and `train-s2i` leave.
MANIFOLD_AUDIO = "artifacts/toy/manifold-audio"
MANIFOLD_AUTOENCODER = "artifacts/toy/manifold-autoencoder"
S2I_AUDIO = "artifacts/toy/s2i-audio"
S2I_GENERATOR = "artifacts/toy/s2i-generator"

EXPERIMENTS = "experiments"
# Where `experiments/` is taken from in a folder that has none: an installed package holds a copy, made when
# it was built; a checkout has the folder itself.
_HOMES = (Path(__file__).parent / "shipped", Path(__file__).parents[2] / EXPERIMENTS)


def shipped() -> Path:
    """The folder of recipes, protocols, toy artifacts and sounds that came with the package."""
    return next((home for home in _HOMES if (home / "trainer.yaml").is_file()), Path(EXPERIMENTS))


def located(path: str | os.PathLike[str]) -> Path:
    """Where a file or folder lies that a command or a recipe names.

    Args:
        path: Its path. One in `experiments/` that is not there, as seen from the current folder, is the one
            that came with the package, if there is such a one; `hf://owner/name` is downloaded.

    Raises:
        InputError: If it is to be had from the hub, and is not.
    """
    if hub.is_address(path):
        return hub.snapshot(path)
    named = Path(path)
    if named.parts[:1] != (EXPERIMENTS,) or named.exists():
        return named
    ours = shipped().joinpath(*named.parts[1:])
    return ours if ours.exists() else named
