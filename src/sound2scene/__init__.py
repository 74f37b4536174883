"""Turn sound into pictures of the scene it came from: train, measure and compare such models.

    import sound2scene

    scene = sound2scene.load("toy")             # networks by the name of their model
    pictures = scene("bell.wav", draws=4)       # four PIL pictures
    waveform = sound2scene.audio.load("bell.wav")  # any sound file as 10 s of 16 kHz mono

Where to go on: `sound2scene.SoundToScene` takes artifacts of your own by their folders, `sound2scene --help`
lists the commands, `sound2scene models` and `sound2scene recipes` what can be had and trained by name, and
README.md says the rest.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sound2scene import audio as audio
    from sound2scene.methods.pretrained import load as load
    from sound2scene.methods.sound2scene import SoundToScene as SoundToScene

# Names that users type, and where they live: imported when they are first asked for, not with the package.
_NAMES = {"SoundToScene": "sound2scene.methods.sound2scene", "load": "sound2scene.methods.pretrained"}
_MODULES = ("audio",)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("sound2scene")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"sound2scene.{name}")
    raise AttributeError(f"module 'sound2scene' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "__version__", *_NAMES, *_MODULES]
