"""Turn a published checkpoint into an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from sound2scene.commands.parser import Command, Output


def audio_encoder(source: str, *, folder: Output, image_encoder: str | None = None) -> None:
    """Import the audio encoder of Sound2Scene.

    Args:
        source: A file, an http or https address, or `published` for the authors' address.
        folder: Folder of the artifact.
        image_encoder: Artifact of the SwAV encoder to which it was aligned; its card then names it.
    """
    from sound2scene.published import sound2scene

    _report(sound2scene.import_audio_encoder(source, folder, image_encoder))


def swav(source: str, *, folder: Output, preset: str = "squeeze") -> None:
    """Import the image encoder of SwAV.

    Args:
        source: A file, an http or https address, or `published` for the authors' weights.
        folder: Folder of the artifact.
        preset: Image chain for its card: squeeze as Sound2Scene uses these weights, icgan128 as IC-GAN does.
    """
    from sound2scene.published import swav as checkpoint

    _report(checkpoint.import_swav(source, folder, preset))


def timm(name: str, *, folder: Output, weights: Path | None = None, preset: str | None = None) -> None:
    """Import a network of timm as an image encoder.

    Args:
        name: What timm calls it, with or without the tag of some weights.
        folder: Folder of the artifact.
        weights: File of weights, safetensors or a checkpoint of torch; without it they come from timm's hub.
        preset: Image chain for its card; by default the one that normalises as its weights expect it.
    """
    from sound2scene.published import timm_weights

    _report(timm_weights.import_timm(name, folder, weights, preset))


def icgan(source: str, *, folder: Output, image_encoder: str | None = None) -> None:
    """Import a generator of IC-GAN.

    Args:
        source: A folder, a .tar.gz of it or its address, or `published` for the authors' 128 px model.
        folder: Folder of the artifact.
        image_encoder: Artifact of the SwAV encoder whose features it draws; its card then names it.
    """
    from sound2scene.published import icgan as checkpoint

    _report(checkpoint.import_icgan(source, folder, image_encoder))


def judge(
    source: str,
    *,
    folder: Output,
    classes: Path | None = None,
    pixels: Literal["torchvision", "imagenet"] = "torchvision",
) -> None:
    """Import an Inception-v3 in torchvision's layout as a judge, with any number of classes.

    Args:
        source: A file, an http or https address, or `published` for Sound2Scene's own.
        folder: Folder of the artifact.
        classes: Text file of the class names, one a line, in the order of the scores.
        pixels: What it was trained on: `torchvision` from -1 to 1, as torchvision's class does when it starts
            from its own weights; `imagenet` with ImageNet's mean and deviation taken out alone.
    """
    from sound2scene.published import inception

    _report(inception.import_judge(source, folder, classes, pixels))


def _report(artifact: Path) -> None:
    from sound2scene import artifacts

    card = artifacts.read_card(artifact)
    print(f"{artifact}: {card.class_path}\nlicence: {card.licence or 'unknown'}")


COMMAND: Command = {
    "audio-encoder": audio_encoder,
    "swav": swav,
    "timm": timm,
    "icgan": icgan,
    "judge": judge,
}
