"""The published audio encoder of Sound2Scene as an artifact."""

from __future__ import annotations

import os
from pathlib import Path

from sound2scene import artifacts
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.published.checkpoint import Published, obtained
from sound2scene.weights import fill, state_of

# The file that Sound2Scene's `README.md` links, past the page on which Google Drive asks back before it gives
# a large file. The repository has no licence file (commit 2cc5fff).
SOUND2SCENE = Published(
    "https://drive.usercontent.google.com/download"
    "?id=1MfQo9Y6cBwSo9sYkwj2gG9kNa_1fuaUJ&export=download&confirm=t",
    "sound2scene.pth",
    "Sound2Scene weights: postech-ami/Sound2Scene, which published them, states no licence; its successor "
    "kaist-ami/Sound2Scene, which links the same file, puts its code under the MIT licence and is silent on "
    "weights. Trained on VGGSound (annotations CC BY 4.0, videos under their owners' rights). Ask the "
    "authors before other use than research.",
    "https://drive.google.com/file/d/1MfQo9Y6cBwSo9sYkwj2gG9kNa_1fuaUJ/view",
)


def import_audio_encoder(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    image_encoder: str | None = None,
    published: Published | None = None,
) -> Path:
    """Write the published audio encoder as an artifact.

    `sound2scene.pth` is a bare state dict of 122 tensors `audnet.*`.

    Args:
        source: A file, an http or https address, or "published" for the authors' address.
        folder: Where the artifact is written.
        image_encoder: Artifact of the SwAV encoder to which the audio encoder was aligned; the card then
            names it, so that a generator can be told to fit. The file itself does not say.
        published: What "published" stands for; by default the one of this module.

    Returns:
        The folder. Its card holds the licence notice, which a command prints.

    Raises:
        InputError: If the source cannot be had, needs pickle, is damaged, or has another layout.
    """
    published = published or SOUND2SCENE
    with obtained(source, published) as (path, origin):
        given = {name.removeprefix("audnet."): tensor for name, tensor in state_of(path).items()}
        # The inner ResNet has timm's names; only the linear layer lies outside the backbone here.
        inner = {n if n.startswith("fc.") else f"backbone.{n}": tensor for n, tensor in given.items()}
        network = AudioEncoder()
        fill(network, inner, path)
    card = {"kind": "audio-encoder", "preset": "paper", "licence": published.licence, "source": origin}
    if image_encoder:
        card["notes"] = {"image_encoder": artifacts.read_card(image_encoder).fingerprint}
    return artifacts.save(network, folder, card=card)
