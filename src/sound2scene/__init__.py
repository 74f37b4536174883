"""Turn sound into pictures of the scene it came from: train, measure and compare such models.

`SoundToScene()("bell.wav", draws=4)` gives four pictures of a sound, from artifacts; `sound2scene --help`
lists the commands that make such artifacts; README.md says the rest.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sound2scene.methods.sound2scene import SoundToScene as SoundToScene

# Names that users type, and where they live: imported when they are first asked for, not with the package.
_NAMES = {"SoundToScene": "sound2scene.methods.sound2scene"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("sound2scene")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'sound2scene' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "__version__", *_NAMES]
