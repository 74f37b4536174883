"""Sound to picture by the name of a model."""

from __future__ import annotations

from sound2scene.methods.sound2scene import SoundToScene
from sound2scene.published.models import obtain


def load(name: str = "toy", device: str | None = None) -> SoundToScene:
    """What draws pictures of sounds with the networks of a named model.

    Args:
        name: Name of the model, as `sound2scene models` lists them; what is not on disk is downloaded.
        device: Device of torch; by default a GPU where there is one.

    Raises:
        InputError: If there is no such model, it cannot be had, or there is no such device.
    """
    found = obtain(name)
    return SoundToScene(found["audio_encoder"], found["generator"], device)
