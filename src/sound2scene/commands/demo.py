"""Serve a page that draws sounds in a browser."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Annotated

from sound2scene import defaults
from sound2scene.commands.model_choice import Model, chosen
from sound2scene.commands.parser import TERMINATED, Admit, Command, Option


def demo(
    *,
    model: Model = None,
    audio_encoder: Path = Path(defaults.AUDIO_ENCODER),
    generator: Path = Path(defaults.GENERATOR),
    image_encoder: Path = Path(defaults.IMAGE_ENCODER),
    sounds: Path = Path(defaults.SOUNDS),
    host: str = "127.0.0.1",
    port: Annotated[int | None, Option(between=(1, 65535))] = None,
    no_browser: bool = False,
    device: str | None = None,
    admit: Admit = None,
) -> int:
    """Serve a page that draws sounds in a browser, until Ctrl-C.

    Args:
        model: Model whose networks to take, where no option names one; see `sound2scene models`.
        audio_encoder: Artifact of the audio encoder.
        generator: Artifact of a generator for the same image encoder.
        image_encoder: Artifact of that image encoder, through which pictures go.
        sounds: Folder of sounds to choose from; where there is none, visitors bring their own.
        host: Address to answer on; by default nobody but this machine reaches the page.
        port: Port; by default the first free one from 7860.
        no_browser: Do not open the page in a browser.
        device: Device, as torch names it; by default a GPU where there is one.
        admit: Packages of your own whose classes cards may name; loading one runs its code.
    """
    from sound2scene import artifacts
    from sound2scene.demo.server import serving
    from sound2scene.demo.studio import Artifacts, Studio
    from sound2scene.folders import SOUNDS, walked

    artifacts.admit(*(admit or ()))
    folders = chosen(model, audio_encoder=audio_encoder, generator=generator, image_encoder=image_encoder)
    studio = Studio(Artifacts(**{role: str(folder) for role, folder in folders.items()}), device)
    sounds = defaults.located(sounds)
    found = [path for path in walked(sounds) if path.suffix.lower() in SOUNDS] if sounds.is_dir() else []
    # A service is ended so; what visitors handed in has to go with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    with serving(studio, sorted(found), host, port, browser=not no_browser) as address:
        print(f"{address}: the page; Ctrl-C ends it", flush=True)
        if host != "127.0.0.1":
            print("sound2scene: whoever reaches this address may use the page", file=sys.stderr)
        while True:
            time.sleep(3600)


COMMAND: Command = demo
