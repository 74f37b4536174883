"""SwAV's published ResNet-50 as an artifact."""

from __future__ import annotations

import os
from pathlib import Path

from sound2scene import artifacts, images
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.published.checkpoint import Published, obtained
from sound2scene.weights import fill, state_of

# Address: SwAV `README.md` and `hubconf.py`. Licence: its `LICENSE` (commit 06b1b7c).
SWAV = Published(
    "https://dl.fbaipublicfiles.com/deepcluster/swav_800ep_pretrain.pth.tar",
    "swav_800ep_pretrain.pth.tar",
    "SwAV weights: facebookresearch/swav is under Creative Commons Attribution-NonCommercial 4.0 (CC BY-NC "
    "4.0): no commercial use, name the authors (Caron et al., arXiv:2006.09882). Trained on ImageNet, whose "
    "own terms apply.",
    "https://github.com/facebookresearch/swav",
)

_SWAV_HEADS = ("projection_head.", "prototypes.")


def import_swav(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    preset: str = "squeeze",
    published: Published | None = None,
) -> Path:
    """Write SwAV's ResNet-50 as an artifact, without its projection head and prototypes.

    Both layouts are read: the published `swav_*_pretrain.pth.tar` (a bare state dict, 328 tensors, `module.`
    before each name) and the training checkpoint `checkpoint.pth.tar` ({epoch, state_dict, optimizer, amp}).

    Args:
        source: A file, an http or https address, or "published" for the authors' 800-epoch weights.
        folder: Where the artifact is written.
        preset: Image chain for its card: `squeeze` as Sound2Scene uses these weights, `icgan128` as IC-GAN
            does.
        published: What "published" stands for; by default the one of this module.

    Returns:
        The folder. Its card holds the licence notice, which a command prints.

    Raises:
        InputError: If the source cannot be had, needs pickle, is damaged, or has another layout.
    """
    published = published or SWAV
    images.preset(preset)  # an unknown one is refused
    with obtained(source, published) as (path, origin):
        state, network = state_of(path), ImageEncoder()
        left_out = sorted(name for name in state if name.startswith(_SWAV_HEADS))
        fill(network, {f"backbone.{name}": state[name] for name in state.keys() - set(left_out)}, path)
    card = {
        "kind": "image-encoder",
        "preset": preset,
        "licence": published.licence,
        "source": origin,
        "notes": {"left_out": left_out},
    }
    return artifacts.save(network, folder, card=card)
